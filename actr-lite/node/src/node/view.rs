use std::{
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Instant,
};

use actr_lite_admin::{
    counts::{ByName, NodeCounts, StreamsCount},
    event::Direction,
    paging::Page,
    status::{CallRow, ConnectionRow, NodeState, NodeStatus, NodeTotals, StreamRow, Table},
    view::NodeView,
};
use actr_lite_clock::rfc3339;
use actr_lite_registry_client::LinkState;
use actr_lite_wire::identity::ActrType;

use crate::{
    actor::actor::Actor,
    peers::{peers::Peers, pool::OpenConnection},
    session::{open_call::OpenCall, session_environment::SessionEnvironment},
    stream::{
        meters::Sum,
        stream_environment::StreamEnvironment,
        stream_meter::{StreamCounts, StreamMeter},
    },
};

/// What a node shows of itself: its connections, and what goes over them.
pub(crate) struct View {
    peers: Arc<Peers>,
    sessions: Arc<SessionEnvironment>,
    actr_type: ActrType,
    realm_id: u32,
    /// What others dial, if they are to.
    address: Option<String>,
}

impl View {
    /// Of a node of this type and realm, which others dial at `address`.
    pub(crate) fn new(actor: &Actor, actr_type: ActrType, realm_id: u32, address: Option<String>) -> Arc<Self> {
        Arc::new(Self {
            peers: Arc::clone(&actor.peers),
            sessions: Arc::clone(&actor.sessions),
            actr_type,
            realm_id,
            address,
        })
    }

    fn streams(&self) -> &StreamEnvironment {
        &self.sessions.streams
    }

    fn time_of(&self, moment: Instant) -> String {
        rfc3339(self.streams().tally.events().clock().unix_time_of(moment))
    }

    fn state(&self) -> NodeState {
        if self.streams().is_stopping() {
            return NodeState::Draining;
        }
        match self.peers.link().actor_id() {
            Some(_) => NodeState::Running,
            None => NodeState::Starting,
        }
    }

    fn totals(&self, connections: &[(u64, OpenConnection)], calls: &[(OpenCall, usize)]) -> NodeTotals {
        let streams = self.streams();
        let tally = &streams.tally;
        let [sent, received] = streams.meters.sums();
        let (calls_served, calls_failed) = tally.calls.done_and_failed();
        let count_calls = |direction| calls.iter().filter(|(call, _)| call.direction == direction).count();
        let count_connections = |direction| {
            connections
                .iter()
                .filter(|(_, open)| open.direction == direction)
                .count()
        };
        NodeTotals {
            streams_out: sent.running,
            streams_in: received.running,
            streams_started: sent.started + received.started,
            streams_ended: sent.started + received.started - (sent.running + received.running) as u64,
            frames_out: sent.counts.frames,
            frames_in: received.counts.frames,
            bytes_out: sent.counts.bytes,
            bytes_in: received.counts.bytes,
            calls_in: count_calls(Direction::In),
            calls_out: count_calls(Direction::Out),
            calls_served,
            calls_failed,
            connections_in: count_connections(Direction::In),
            connections_out: count_connections(Direction::Out),
            resumes: tally.resumes.load(Relaxed),
            duplicates: received.counts.duplicates,
            dropped: sent.counts.dropped + received.counts.dropped,
            limits_reached: tally.limits_reached().map(|(_, times)| times).sum(),
            misbehaved: streams.complaints.misbehaviour().total(),
        }
    }

    fn stream_row(&self, meter: &StreamMeter) -> StreamRow {
        let counts = meter.counts();
        let expected = meter.expected_and_done();
        StreamRow {
            id: meter.stream_id.to_string(),
            peer: meter.peer.to_string(),
            direction: meter.direction,
            frames: counts.frames,
            bytes: counts.bytes,
            expected: expected.map(|(expected, _)| expected),
            done: expected.map(|(_, done)| done),
            credit: meter.credit(),
            waiting_since: meter.waits_since().map(|since| self.time_of(since)),
            resumed: meter.is_resumed(),
            since: self.time_of(meter.began),
        }
    }
}

impl NodeView for View {
    fn obstacles(&self) -> Vec<String> {
        let mut obstacles = Vec::new();
        if self.streams().is_stopping() {
            obstacles.push("the node is shutting down".to_owned());
        } else if *self.peers.link().state().borrow() != LinkState::Connected {
            obstacles.push(format!("the node is not registered: {}", self.peers.link().standing()));
        }
        obstacles
    }

    fn status(&self, page: Page) -> NodeStatus {
        let connections = self.peers.connections();
        // With the index of its connection.
        let mut calls = Vec::new();
        for (index, (_, open)) in connections.iter().enumerate() {
            calls.extend(open.session.open_calls().into_iter().map(|call| (call, index)));
        }
        let totals = self.totals(&connections, &calls);
        let (stream_count, meters) = self.streams().meters.page(page);
        let streams = meters
            .into_iter()
            .map(|(number, meter)| (number, self.stream_row(&meter)));
        let call_row = |(call, index): &(OpenCall, usize)| {
            let row = CallRow {
                route: call.route.to_owned(),
                peer: connections.get(*index)?.1.session.peer().to_string(),
                direction: call.direction,
                since: self.time_of(call.began),
            };
            Some((call.number, row))
        };
        let connection_row = |(number, open): &(u64, OpenConnection)| {
            let row = ConnectionRow {
                peer: open.session.peer().to_string(),
                direction: open.direction,
                tls: open.is_tls,
                since: self.time_of(open.session.uplink().began()),
            };
            Some((*number, row))
        };
        NodeStatus {
            id: self.peers.link().actor_id().map(|id| id.to_string()),
            actr_type: self.actr_type.to_string(),
            realm: self.realm_id,
            state: self.state(),
            address: self.address.clone(),
            totals,
            streams: Table {
                count: stream_count,
                rows: streams.collect(),
            },
            calls: table(page, &calls, |(call, _)| call.number, call_row),
            connections: table(page, &connections, |(number, _)| *number, connection_row),
        }
    }

    fn counts(&self) -> NodeCounts {
        let streams = self.streams();
        let tally = &streams.tally;
        let [sent, received] = streams.meters.sums();
        let mut connections = ByName::new();
        let (mut calls_served_now, mut calls_waiting) = (0, 0);
        for (_, open) in self.peers.connections() {
            *connections.entry((open.direction, open.is_tls)).or_default() += 1;
            for call in open.session.open_calls() {
                match call.direction {
                    Direction::In => calls_served_now += 1,
                    Direction::Out => calls_waiting += 1,
                }
            }
        }
        NodeCounts {
            connections,
            handshakes_refused: tally.handshakes_refused.all(),
            sent: sent.into(),
            received: received.into(),
            datagrams_dropped: [
                ("full", tally.datagrams_overflowed.load(Relaxed)),
                ("unknown", tally.datagrams_unknown.load(Relaxed)),
            ]
            .into(),
            streams_ended: tally.streams_ended.all(),
            unknown_frames: self.sessions.unknown_frames(),
            credit_waits: tally.credit_waits.load(Relaxed),
            resumes: tally.resumes.load(Relaxed),
            calls: tally.calls.seen(),
            calls_served_now,
            calls_waiting,
            discoveries: tally.discoveries.all(),
            held_bytes: streams.occupancy.accounts().bytes().used() as u64,
            limits_reached: tally.limits_reached().collect(),
            misbehaviour: streams.complaints.misbehaviour(),
        }
    }
}

impl From<Sum> for StreamsCount {
    fn from(sum: Sum) -> Self {
        let StreamCounts {
            frames,
            bytes,
            duplicates,
            dropped,
        } = sum.counts;
        Self {
            running: sum.running as u64,
            started: sum.started,
            frames,
            bytes,
            duplicates,
            dropped,
        }
    }
}

/// The rows of a page; of those on others nothing is made.
fn table<T, Row>(
    page: Page,
    all: &[T],
    number: impl Fn(&T) -> u64,
    row: impl Fn(&T) -> Option<(u64, Row)>,
) -> Table<Row> {
    let shown = page.of_keys(all.iter().map(&number).collect());
    // In falling order.
    let is_shown = |one: &&T| shown.binary_search_by(|other| number(one).cmp(other)).is_ok();
    Table {
        count: all.len(),
        rows: all.iter().filter(is_shown).filter_map(row).collect(),
    }
}
