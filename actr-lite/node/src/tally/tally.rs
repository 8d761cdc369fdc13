use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering::Relaxed},
};

use actr_lite_admin::{
    event::{Direction, Event, Kind, Part},
    event_log::EventLog,
};
use actr_lite_quota::Limit;
use actr_lite_wire::identity::{ActrId, StreamId};

use crate::tally::{call_tally::CallTally, counts::Counts};

/// How streams that are sent end, as a rule.
const SENT_ENDS: [&str; 5] = ["finished", "cancelled", "peer_gone", "stalled", "broke_off"];

/// How streams that are received end, as a rule.
const RECEIVED_ENDS: [&str; 5] = ["finished", "cancelled", "peer_gone", "failed", "gap"];

/// Why connections are refused.
const HANDSHAKES_REFUSED: [&str; 8] = [
    "tls",
    "unreadable",
    "request",
    "host",
    "credential",
    "access",
    "limit",
    "unavailable",
];

/// What comes of a search.
const DISCOVERIES: [&str; 5] = ["found", "none", "contract", "refused", "no_answer"];

/// The keys of the limits that are counted here.
const LIMITS: [&str; 10] = [
    "system.limits.max_connections",
    "system.limits.max_connections_per_peer",
    "system.limits.max_streams",
    "system.limits.max_streams_per_peer",
    "system.limits.max_subscriptions",
    "system.limits.max_calls",
    "system.limits.max_calls_per_peer",
    "system.limits.max_bytes",
    "system.limits.max_bytes_per_peer",
    "system.limits.max_other_realms",
];

/// What a node has done since its start, as far as nothing else counts it.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    events: Arc<EventLog>,
    pub(crate) calls: CallTally,
    /// How often a sender had to wait for credit.
    pub(crate) credit_waits: AtomicU64,
    /// Streams that went on where another broke.
    pub(crate) resumes: AtomicU64,
    /// Datagrams of nobody that is known.
    pub(crate) datagrams_unknown: AtomicU64,
    /// Datagrams for which there was no room.
    pub(crate) datagrams_overflowed: AtomicU64,
    /// By direction and reason.
    pub(crate) streams_ended: Counts<(Direction, &'static str)>,
    /// By reason.
    pub(crate) handshakes_refused: Counts<&'static str>,
    /// By result.
    pub(crate) discoveries: Counts<&'static str>,
    calls_begun: AtomicU64,
    /// By key.
    limits_reached: Counts<&'static str>,
}

impl Tally {
    /// For a node that serves these calls; what happens is noted there.
    pub(crate) fn new(calls: CallTally, events: Arc<EventLog>) -> Arc<Self> {
        let ends = |direction, reasons: &'static [&'static str]| reasons.iter().map(move |reason| (direction, *reason));
        Arc::new(Self {
            events,
            calls,
            streams_ended: Counts::of(ends(Direction::Out, &SENT_ENDS).chain(ends(Direction::In, &RECEIVED_ENDS))),
            handshakes_refused: Counts::of(HANDSHAKES_REFUSED),
            discoveries: Counts::of(DISCOVERIES),
            limits_reached: Counts::of(LIMITS),
            ..Self::default()
        })
    }

    /// Where what happens is noted.
    pub(crate) fn events(&self) -> &EventLog {
        &self.events
    }

    /// A number for a call that begins, of this node or of a peer.
    pub(crate) fn next_call(&self) -> u64 {
        self.calls_begun.fetch_add(1, Relaxed) + 1
    }

    /// A limit was reached.
    pub(crate) fn limit_reached(&self, limit: &Limit) {
        self.limits_reached.count(limit.key());
        self.events.note(Kind::LimitReached, || Event {
            key: Some(limit.key().to_owned()),
            reason: Some(format!("this node has {limit}")),
            ..event(Kind::LimitReached)
        });
    }

    /// How often each limit was reached, by its key.
    pub(crate) fn limits_reached(&self) -> impl Iterator<Item = (&'static str, u64)> {
        self.limits_reached.all().into_iter()
    }

    /// A stream goes on at this server.
    pub(crate) fn stream_resumed(&self, stream_id: &StreamId, server: &ActrId) {
        self.resumes.fetch_add(1, Relaxed);
        self.events.note(Kind::StreamResumed, || Event {
            stream: Some(stream_id.to_string()),
            peer: Some(server.to_string()),
            ..event(Kind::StreamResumed)
        });
    }

    /// The registry has registered this node.
    pub(crate) fn registered(&self, id: &ActrId) {
        self.events.note(Kind::Registered, || Event {
            node: Some(id.to_string()),
            ..event(Kind::Registered)
        });
    }

    /// The node takes nothing new any more.
    pub(crate) fn draining(&self) {
        self.events.note(Kind::Draining, || event(Kind::Draining));
    }
}

/// An event of a node.
pub(crate) fn event(kind: Kind) -> Event {
    Event::new(Part::Node, kind)
}
