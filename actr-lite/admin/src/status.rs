//! What a program does at a moment, as its status tells it. docs/operations.md says what each field means.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::{event::Direction, recent_events::Since};

/// The whole of it.
#[derive(Debug, Clone, Serialize)]
pub struct Status {
    /// The process.
    pub program: Program,
    /// Whether it can serve.
    pub readiness: Readiness,
    /// Which page the tables are of.
    pub page: usize,
    /// The registry in it, if there is one.
    pub registry: Option<RegistryStatus>,
    /// The node in it, if there is one.
    pub node: Option<NodeStatus>,
}

/// The process.
#[derive(Debug, Clone, Serialize)]
pub struct Program {
    /// Of the runtime.
    pub version: &'static str,
    /// When it began.
    pub started: String,
    /// When this was so.
    pub time: String,
}

/// Whether a program can serve.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Readiness {
    /// Whether it can.
    pub ready: bool,
    /// Why not, each a sentence for people.
    pub reasons: Vec<String>,
}

impl From<Vec<String>> for Readiness {
    fn from(reasons: Vec<String>) -> Self {
        Self {
            ready: reasons.is_empty(),
            reasons,
        }
    }
}

/// Rows of a table by their keys, which no other row of it ever has.
#[derive(Debug, Clone, Serialize)]
pub struct Table<Row> {
    /// How many rows there are on all pages.
    pub count: usize,
    /// Those of this page.
    pub rows: BTreeMap<u64, Row>,
}

/// A registry.
#[derive(Debug, Clone, Serialize)]
pub struct RegistryStatus {
    /// Where it listens.
    pub address: String,
    /// How much it has done.
    pub totals: RegistryTotals,
    /// Who is registered.
    pub nodes: Table<NodeRow>,
}

/// How much a registry has done since its start, and holds.
#[derive(Debug, Clone, Default, Serialize)]
#[expect(missing_docs, reason = "the names say it, and docs/operations.md")]
pub struct RegistryTotals {
    pub nodes: usize,
    pub connections: usize,
    pub registered: u64,
    pub registrations_refused: u64,
    pub renewed: u64,
    pub left: u64,
    pub leases_expired: u64,
    pub relayed: u64,
    pub stored_bytes: usize,
    pub signing_keys: usize,
    pub limits_reached: u64,
    pub misbehaved: u64,
}

/// A registered node.
#[derive(Debug, Clone, Serialize)]
pub struct NodeRow {
    /// Its id.
    pub id: String,
    /// Its type.
    #[serde(rename = "type")]
    pub actr_type: String,
    /// Its realm.
    pub realm: u32,
    /// What others dial.
    pub address: Option<String>,
    /// Where it was registered from.
    pub from: String,
    /// When it was registered.
    pub since: String,
    /// How much of its limits is used, from 0 to 1.
    pub load: f32,
    /// How well it can serve.
    pub state: &'static str,
}

/// A node.
#[derive(Debug, Clone, Serialize)]
pub struct NodeStatus {
    /// Its id; none before it is registered.
    pub id: Option<String>,
    /// Its type.
    #[serde(rename = "type")]
    pub actr_type: String,
    /// Its realm.
    pub realm: u32,
    /// What it is about.
    pub state: NodeState,
    /// What others dial.
    pub address: Option<String>,
    /// How much it has done.
    pub totals: NodeTotals,
    /// Its streams.
    pub streams: Table<StreamRow>,
    /// Its calls.
    pub calls: Table<CallRow>,
    /// Its connections.
    pub connections: Table<ConnectionRow>,
}

/// What a node is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum NodeState {
    /// It is not registered yet.
    Starting,
    /// It serves.
    Running,
    /// It takes nothing new any more.
    Draining,
}

/// How much a node has done since its start, and does.
#[derive(Debug, Clone, Default, Serialize)]
#[expect(missing_docs, reason = "the names say it, and docs/operations.md")]
pub struct NodeTotals {
    pub streams_out: usize,
    pub streams_in: usize,
    pub streams_started: u64,
    pub streams_ended: u64,
    pub frames_out: u64,
    pub frames_in: u64,
    pub bytes_out: u64,
    pub bytes_in: u64,
    pub calls_in: usize,
    pub calls_out: usize,
    pub calls_served: u64,
    pub calls_failed: u64,
    pub connections_in: usize,
    pub connections_out: usize,
    pub resumes: u64,
    pub duplicates: u64,
    pub dropped: u64,
    pub limits_reached: u64,
    pub misbehaved: u64,
}

/// A stream that runs.
#[derive(Debug, Clone, Serialize)]
pub struct StreamRow {
    /// Its id.
    pub id: String,
    /// Who is at the other end.
    pub peer: String,
    /// Whether this node sends.
    pub direction: Direction,
    /// Sent or taken since it began here.
    pub frames: u64,
    /// Their payload bytes.
    pub bytes: u64,
    /// How many frames it has in all.
    pub expected: Option<u64>,
    /// How many of those are done, by whomever.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub done: Option<u64>,
    /// How many bytes its receiver takes.
    pub credit: Option<u64>,
    /// Since when its sender waits.
    pub waiting_since: Option<String>,
    /// Whether it goes on where another broke.
    pub resumed: bool,
    /// When it began.
    pub since: String,
}

/// A call that waits for its answer.
#[derive(Debug, Clone, Serialize)]
pub struct CallRow {
    /// What is called.
    pub route: String,
    /// Who calls, or is called.
    pub peer: String,
    /// Whether this node calls.
    pub direction: Direction,
    /// When it began.
    pub since: String,
}

/// An open connection.
#[derive(Debug, Clone, Serialize)]
pub struct ConnectionRow {
    /// Who is at the other end.
    pub peer: String,
    /// Whether this node has dialled.
    pub direction: Direction,
    /// Whether it is encrypted.
    pub tls: bool,
    /// When it was opened.
    pub since: String,
}

/// The status with the last events, as it is asked for.
#[derive(Serialize)]
pub(crate) struct WithEvents<'a> {
    #[serde(flatten)]
    pub(crate) status: &'a Status,
    #[serde(serialize_with = "events_of")]
    pub(crate) events: &'a Since,
}

fn events_of<S: serde::Serializer>(since: &&Since, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(since.events.iter().map(AsRef::as_ref))
}
