use actr_lite_engine::accounts::AccountLimits;
use serde::{Deserialize, Deserializer};

use crate::bounded::{Bounded, Timeout};

/// How many there may be at once: no process can handle more than a million connections or streams.
pub type Count = Bounded<1, 1_048_576>;

/// How many other realms may have peers here: each gets an equal part, which is to be worth something.
pub type Realms = Bounded<1, 1024>;

/// How many bytes the metadata of a call may have: with fewer the runtime's own entries would not fit, with more it
/// belongs into the request.
pub type MetadataBytes = Bounded<256, 1_048_576>;

/// How many bytes something may have that is held as a whole: the lower end is the shortest record limit, the upper
/// one what a small machine has.
pub type HeldBytes = Bounded<1024, 1_073_741_824>;

/// `[system.limits]`: what may happen at once on a node. Reaching a limit is an error that names its key, and ends
/// nothing that is already running.
///
/// A peer has a share of each, and so has a realm: its own one at least half, and all of it where the access list admits
/// no other realm. Each other realm has an equal part of the other half.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// `max_connections`, 2048 if absent: the connections accepted from other nodes. One costs a file descriptor, of
    /// which most systems give a process 1,024 unless told otherwise. One more is refused.
    pub max_connections: Count,
    /// `max_connections_per_peer`, 64 if absent: those of one peer among them. Most have one; the rest is for those who
    /// ask for connections of their own. One more is refused.
    pub max_connections_per_peer: Count,
    /// `max_streams`, 65536 if absent: the streams that the node sends. Each costs a few hundred bytes and a handler's
    /// task.
    pub max_streams: Count,
    /// `max_streams_per_peer`, 2048 if absent: those to one peer among them, over all its connections.
    pub max_streams_per_peer: Count,
    /// `max_subscriptions`, 65536 if absent: the streams that the node receives. Each may hold a window of 256 KiB and
    /// a record; what windows grow beyond that is on the sender's account.
    pub max_subscriptions: Count,
    /// `max_calls`, 65536 if absent: the calls that the node serves. Each is a task with whatever its handler holds.
    pub max_calls: Count,
    /// `max_calls_per_peer`, 2048 if absent: those of one peer among them, and the calls to one peer that wait for its
    /// answer.
    pub max_calls_per_peer: Count,
    /// `max_bytes`; 256 MiB, or sixteen of the longest records, if absent: the memory that peers make the node hold, in
    /// whatever form.
    pub max_bytes: Option<HeldBytes>,
    /// `max_bytes_per_peer`; 16 MiB, or four of the longest records, if absent: that of one peer. A peer gets less while
    /// little is left for all. `max_call_bytes_per_peer` is an older name.
    #[serde(alias = "max_call_bytes_per_peer")]
    pub max_bytes_per_peer: Option<HeldBytes>,
    /// `max_other_realms`, 4 if absent: how many realms beside the own one have peers here.
    pub max_other_realms: Realms,
    /// `max_metadata_bytes`, 16 KiB if absent: the keys and values of one call's metadata, together, with 64 bytes for
    /// each entry; as much as web servers take of a request's head.
    pub max_metadata_bytes: MetadataBytes,
    /// `header_timeout`, 5 s if absent: what a peer may take from connecting to the end of its upgrade request.
    pub header_timeout: Timeout,
    /// `idle_timeout`, 5 min if absent: after this long without a call or a stream a connection is closed. Dialling
    /// again takes a few milliseconds.
    pub idle_timeout: Timeout,
    /// `stall_timeout`, 5 min if absent: how long something may wait for a peer that takes nothing of it, or sends
    /// nothing more of it: an answer, a frame, the rest of a message.
    pub stall_timeout: Timeout,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_connections: Count::constant::<2048>(),
            max_connections_per_peer: Count::constant::<64>(),
            max_streams: Count::constant::<65_536>(),
            max_streams_per_peer: Count::constant::<2048>(),
            max_subscriptions: Count::constant::<65_536>(),
            max_calls: Count::constant::<65_536>(),
            max_calls_per_peer: Count::constant::<2048>(),
            max_bytes: None,
            max_bytes_per_peer: None,
            max_other_realms: Realms::constant::<4>(),
            max_metadata_bytes: MetadataBytes::constant::<{ 16 << 10 }>(),
            header_timeout: Timeout::constant::<5>(),
            idle_timeout: Timeout::constant::<300>(),
            stall_timeout: Timeout::constant::<300>(),
        }
    }
}

impl Limits {
    /// `max_bytes` of a node whose longest record has this many bytes.
    pub fn max_bytes(&self, max_record_bytes: usize) -> usize {
        const LEAST: usize = 256 << 20;
        self.max_bytes.map_or(LEAST.max(16 * max_record_bytes), HeldBytes::get)
    }

    /// `max_bytes_per_peer` of a node whose longest record has this many bytes.
    pub fn max_bytes_per_peer(&self, max_record_bytes: usize) -> usize {
        const LEAST: usize = 16 << 20;
        self.max_bytes_per_peer
            .map_or(LEAST.max(4 * max_record_bytes), HeldBytes::get)
    }
}

impl Limits {
    /// What peers may make a node hold whose longest record has this many bytes.
    pub fn of_accounts(&self, max_record_bytes: usize) -> AccountLimits {
        AccountLimits {
            connections: self.max_connections.get(),
            connections_per_peer: self.max_connections_per_peer.get(),
            streams: self.max_streams.get(),
            streams_per_peer: self.max_streams_per_peer.get(),
            calls: self.max_calls.get(),
            calls_per_peer: self.max_calls_per_peer.get(),
            bytes: self.max_bytes(max_record_bytes),
            bytes_per_peer: self.max_bytes_per_peer(max_record_bytes),
            other_realms: self.max_other_realms.get(),
        }
    }
}

/// `[system.signaling.limits]`: what may happen at once on the registry that this process hosts; without effect if it
/// hosts none. What is absent has the registry's own default.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RegistryLimits {
    /// `max_connections`: its signaling connections, one for each node.
    pub max_connections: Option<Count>,
    /// `max_connections_per_address`: those from one address, or from one IPv6 network of 64 bits.
    pub max_connections_per_address: Option<Count>,
    /// `max_connections_per_realm`: those of one realm.
    pub max_connections_per_realm: Option<Count>,
    /// `max_nodes`: the nodes that are registered.
    pub max_nodes: Option<Count>,
    /// `max_nodes_per_address`: those that were registered from one address, or from one IPv6 network of 64 bits.
    pub max_nodes_per_address: Option<Count>,
    /// `max_nodes_per_realm`: those of one realm.
    pub max_nodes_per_realm: Option<Count>,
    /// `max_stored_bytes`: the memory for all of them, with their contracts, access lists and addresses.
    pub max_stored_bytes: Option<HeldBytes>,
    /// `max_stored_bytes_per_address`: that for those that were registered from one address or network.
    pub max_stored_bytes_per_address: Option<HeldBytes>,
    /// `max_stored_bytes_per_realm`: those of one realm.
    pub max_stored_bytes_per_realm: Option<HeldBytes>,
    /// `max_in_flight_bytes`: the memory for requests, answers and messages that are under way.
    pub max_in_flight_bytes: Option<HeldBytes>,
    /// `max_body_bytes`: one registration.
    pub max_body_bytes: Option<HeldBytes>,
    /// `header_timeout`: what a request's head may take, and the pause between two requests.
    pub header_timeout: Option<Timeout>,
}

impl<'de> Deserialize<'de> for Count {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::read(deserializer, "a whole number, like 100")
    }
}

impl<'de> Deserialize<'de> for Realms {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::read(deserializer, "a whole number, like 4")
    }
}

impl<'de> Deserialize<'de> for MetadataBytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::read(deserializer, "a whole number of bytes, like 16384 for 16 KiB")
    }
}

impl<'de> Deserialize<'de> for HeldBytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::read(deserializer, "a whole number of bytes, like 67108864 for 64 MiB")
    }
}
