//! How much parts of a program have done, as its metrics tell it. docs/operations.md says what each means.

use std::{collections::BTreeMap, time::Duration};

use actr_lite_wire::misbehaviour::Misbehaviour;

use crate::event::Direction;

/// Numbers by a name of which there are a few.
pub type ByName<K = &'static str> = BTreeMap<K, u64>;

/// A registry's.
#[derive(Debug, Clone, Default)]
#[expect(missing_docs, reason = "the names say it, and docs/operations.md")]
pub struct RegistryCounts {
    pub nodes_by_realm: ByName<u32>,
    pub connections: u64,
    pub registrations: u64,
    pub registrations_refused: ByName,
    pub renewals: u64,
    pub renewals_refused: u64,
    pub left: u64,
    pub leases_expired: u64,
    pub relays_passed: u64,
    pub relays_refused: u64,
    pub stored_bytes: u64,
    pub signing_keys: u64,
    pub newest_key_age: Duration,
    pub limits_reached: ByName<String>,
    pub misbehaviour: Misbehaviour,
}

/// A node's.
#[derive(Debug, Clone, Default)]
#[expect(missing_docs, reason = "the names say it, and docs/operations.md")]
pub struct NodeCounts {
    pub connections: ByName<(Direction, bool)>,
    pub handshakes_refused: ByName,
    pub datagrams_dropped: ByName,
    pub sent: StreamsCount,
    pub received: StreamsCount,
    pub streams_ended: ByName<(Direction, &'static str)>,
    pub unknown_frames: u64,
    pub credit_waits: u64,
    pub resumes: u64,
    pub calls: Vec<RouteCount>,
    pub calls_served_now: u64,
    pub calls_waiting: u64,
    pub discoveries: ByName,
    pub held_bytes: u64,
    pub limits_reached: ByName,
    pub misbehaviour: Misbehaviour,
}

/// What the streams of one direction have done.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it, and docs/operations.md")]
pub struct StreamsCount {
    pub running: u64,
    pub started: u64,
    pub frames: u64,
    pub bytes: u64,
    pub duplicates: u64,
    pub dropped: u64,
}

/// The served calls of one route.
#[derive(Debug, Clone, PartialEq)]
#[expect(missing_docs, reason = "the names say it, and docs/operations.md")]
pub struct RouteCount {
    pub route: &'static str,
    pub by_code: ByName,
    pub durations: Durations,
}

/// How long things took.
#[derive(Debug, Clone, PartialEq)]
pub struct Durations {
    /// The upper end of each bucket in seconds, the last one infinite, and how many were in it and in none before.
    pub buckets: Vec<(f64, u64)>,
    /// All together.
    pub total: Duration,
}
