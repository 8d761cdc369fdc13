use std::time::Duration;

use crate::{
    ManifestError,
    bounded::{Bounded, Patience},
    section::{Field, Section},
};

/// A count of what there may be at once: of a million connections or streams no process is capable.
pub type Count = Bounded<1, 1_048_576>;

/// How many bytes the metadata of a call may have: with fewer the runtime's own hints would not fit, with more it
/// belongs into the request.
pub type MetadataBytes = Bounded<256, 1_048_576>;

/// How many bytes something may have that is held as a whole: the lower end is the shortest record limit, the upper
/// one what a small machine has.
pub type HeldBytes = Bounded<1024, 1_073_741_824>;

/// `[system.limits]`: what a node lets happen at once. Reaching one is an error that names its key, and ends nothing
/// that goes on already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// `max_connections`, 4096 if absent: the connections accepted from other nodes. One costs a file descriptor, of
    /// which most systems give a process 1,024 unless told otherwise, and about 20 KiB. Further ones wait.
    pub max_connections: Count,
    /// `max_connections_per_peer`, 256 if absent: those of one peer among them. Most have one; the rest is for those
    /// who ask for connections of their own. One more is refused.
    pub max_connections_per_peer: Count,
    /// `max_streams`, 65536 if absent: the streams that the node sends. Each costs a few hundred bytes and a handler's
    /// task.
    pub max_streams: Count,
    /// `max_streams_per_peer`, 65536 if absent: those to one peer among them, over all its connections.
    pub max_streams_per_peer: Count,
    /// `max_subscriptions`, 65536 if absent: the streams that the node receives. Each may hold a window of up to a
    /// mebibyte.
    pub max_subscriptions: Count,
    /// `max_calls`, 65536 if absent: the calls that the node serves. Each is a task with whatever its handler holds.
    pub max_calls: Count,
    /// `max_calls_per_peer`, 4096 if absent: those of one peer among them, and the calls to one peer that wait for its
    /// answer.
    pub max_calls_per_peer: Count,
    /// `max_call_bytes_per_peer`, 64 MiB if absent: the requests of one peer that are being served, together; sixteen
    /// of the longest that the usual record limit allows. A single one may be longer.
    pub max_call_bytes_per_peer: HeldBytes,
    /// `max_metadata_bytes`, 16 KiB if absent: the keys and values of one call's metadata, together; as much as web
    /// servers take of a request's head.
    pub max_metadata_bytes: MetadataBytes,
    /// `header_timeout`, 5 s if absent: what a peer may take from connecting to the end of its upgrade request.
    pub header_timeout: Patience,
    /// `idle_timeout`, 5 min if absent: after so much time without a call or a stream a connection is closed. Dialling
    /// anew takes a few milliseconds.
    pub idle_timeout: Patience,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_connections: Count::constant::<4096>(),
            max_connections_per_peer: Count::constant::<256>(),
            max_streams: Count::constant::<65_536>(),
            max_streams_per_peer: Count::constant::<65_536>(),
            max_subscriptions: Count::constant::<65_536>(),
            max_calls: Count::constant::<65_536>(),
            max_calls_per_peer: Count::constant::<4096>(),
            max_call_bytes_per_peer: HeldBytes::constant::<{ 64 << 20 }>(),
            max_metadata_bytes: MetadataBytes::constant::<{ 16 << 10 }>(),
            header_timeout: Patience::constant::<5>(),
            idle_timeout: Patience::constant::<300>(),
        }
    }
}

impl Limits {
    /// The keys of the section.
    pub(crate) const KEYS: &'static [&'static str] = &[
        "max_connections",
        "max_connections_per_peer",
        "max_streams",
        "max_streams_per_peer",
        "max_subscriptions",
        "max_calls",
        "max_calls_per_peer",
        "max_call_bytes_per_peer",
        "max_metadata_bytes",
        "header_timeout",
        "idle_timeout",
    ];

    pub(crate) fn read(section: &Section<'_>) -> Result<Self, ManifestError> {
        let default = Self::default();
        let count = |key, default| bounded(section, key, "a whole number, like 100", default);
        let patience = |key, default| patience(section, key, default);
        Ok(Self {
            max_connections: count("max_connections", default.max_connections)?,
            max_connections_per_peer: count("max_connections_per_peer", default.max_connections_per_peer)?,
            max_streams: count("max_streams", default.max_streams)?,
            max_streams_per_peer: count("max_streams_per_peer", default.max_streams_per_peer)?,
            max_subscriptions: count("max_subscriptions", default.max_subscriptions)?,
            max_calls: count("max_calls", default.max_calls)?,
            max_calls_per_peer: count("max_calls_per_peer", default.max_calls_per_peer)?,
            max_call_bytes_per_peer: bounded(
                section,
                "max_call_bytes_per_peer",
                "a whole number of bytes, like 67108864 for 64 MiB",
                default.max_call_bytes_per_peer,
            )?,
            max_metadata_bytes: bounded(
                section,
                "max_metadata_bytes",
                "a whole number of bytes, like 16384 for 16 KiB",
                default.max_metadata_bytes,
            )?,
            header_timeout: patience("header_timeout", default.header_timeout)?,
            idle_timeout: patience("idle_timeout", default.idle_timeout)?,
        })
    }
}

/// `[system.signaling.limits]`: what the registry lets happen at once that this process hosts; without effect where it
/// hosts none. What is absent has the registry's own default.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RegistryLimits {
    /// `max_connections`: its connections, of registration and signaling together.
    pub max_connections: Option<Count>,
    /// `max_nodes`: the nodes that are registered.
    pub max_nodes: Option<Count>,
    /// `max_stored_bytes`: the contracts, access lists and addresses of all of them, together.
    pub max_stored_bytes: Option<HeldBytes>,
    /// `max_body_bytes`: one registration.
    pub max_body_bytes: Option<HeldBytes>,
    /// `header_timeout`: what a request's head may take, and the pause between two requests.
    pub header_timeout: Option<Patience>,
}

impl RegistryLimits {
    /// The keys of the section.
    pub(crate) const KEYS: &'static [&'static str] = &[
        "max_connections",
        "max_nodes",
        "max_stored_bytes",
        "max_body_bytes",
        "header_timeout",
    ];

    pub(crate) fn read(section: &Section<'_>) -> Result<Self, ManifestError> {
        let count = |key| optional(section, key, |field| read_bounded(field, "a whole number, like 100"));
        let bytes = |key| {
            optional(section, key, |field| {
                read_bounded(field, "a whole number of bytes, like 1048576 for 1 MiB")
            })
        };
        Ok(Self {
            max_connections: count("max_connections")?,
            max_nodes: count("max_nodes")?,
            max_stored_bytes: bytes("max_stored_bytes")?,
            max_body_bytes: bytes("max_body_bytes")?,
            header_timeout: optional(section, "header_timeout", read_patience)?,
        })
    }
}

fn optional<T>(
    section: &Section<'_>,
    key: &str,
    read: impl Fn(&Field<'_>) -> Result<T, ManifestError>,
) -> Result<Option<T>, ManifestError> {
    section.optional(key).map(|field| read(&field)).transpose()
}

fn bounded<const MIN: usize, const MAX: usize>(
    section: &Section<'_>,
    key: &str,
    expected: &'static str,
    default: Bounded<MIN, MAX>,
) -> Result<Bounded<MIN, MAX>, ManifestError> {
    let found = optional(section, key, |field| read_bounded(field, expected))?;
    Ok(found.unwrap_or(default))
}

fn read_bounded<const MIN: usize, const MAX: usize>(
    field: &Field<'_>,
    expected: &'static str,
) -> Result<Bounded<MIN, MAX>, ManifestError> {
    let number = field.integer::<i128>(expected)?;
    // What no usize can hold is out of every range, at the same end as its own.
    let number = usize::try_from(number).unwrap_or(if number < 0 { 0 } else { usize::MAX });
    Bounded::new(number).map_err(|error| field.invalid(error))
}

fn patience(section: &Section<'_>, key: &str, default: Patience) -> Result<Patience, ManifestError> {
    Ok(optional(section, key, read_patience)?.unwrap_or(default))
}

/// Whole seconds, or a text with a unit.
pub(crate) fn read_patience(field: &Field<'_>) -> Result<Patience, ManifestError> {
    const EXPECTED: &str = "seconds, or a text like \"500ms\", \"30s\" or \"5min\"";
    let duration = match field.string() {
        Ok(text) => humantime::parse_duration(text)
            .map_err(|error| field.invalid(format_args!("{error}: write it like 500ms, 30s or 5min")))?,
        Err(_) => {
            let seconds = field.integer::<i128>(EXPECTED)?;
            Duration::from_secs(u64::try_from(seconds).unwrap_or(if seconds < 0 { 0 } else { u64::MAX }))
        }
    };
    Patience::new(duration).map_err(|error| field.invalid(error))
}
