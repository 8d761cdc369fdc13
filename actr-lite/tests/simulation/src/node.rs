use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use actr_lite_engine::{
    accounts::Accounts,
    connection::End,
    peers::{addresses::Addresses, dials::Dials, pool::Pool},
    upgrade::{MAX_UPGRADES, doorkeeper::Doorkeeper},
    usage::is_unused,
};
use actr_lite_manifest::Limits;
use actr_lite_net::source::Source;
use actr_lite_quota::Places;
use actr_lite_wire::{
    identity::{ActrId, ActrType},
    record::DEFAULT_MAX_RECORD_LEN,
};

use crate::{
    caller::{CallPlan, Caller},
    client_stream::ClientStream,
    context::{Context, earlier},
    dialling::Dialling,
    exchange::{Exchange, ExchangeId},
    inbox::Inbox,
    lane::Lane,
    leaving::Leaving,
    link::Link,
    network::{Address, ConnectionId, Socket},
    outgoing::Sent,
    schedule::Manner,
    serving::Serving,
    upgrade::Upgrade,
};

/// How often a turn goes over everything: whatever one part does may be of use to another.
const MAX_ROUNDS: usize = 10_000;

/// A server or a client in one of its lives.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) manner: Manner,
    pub(crate) link: Link,
    pub(crate) lanes: Vec<Lane>,
    pub(crate) upgrades: Vec<Upgrade>,
    pub(crate) upgrade_places: Places<Source, Socket>,
    pub(crate) doorkeeper: Doorkeeper<Source>,
    pub(crate) accounts: Accounts,
    pub(crate) pool: Pool<ConnectionId>,
    /// Who waits for connections: each learns which there is, if one is.
    pub(crate) dials: Dials<(), Option<ConnectionId>>,
    pub(crate) diallings: Vec<Dialling>,
    pub(crate) servings: Vec<Serving>,
    pub(crate) streams: Vec<ClientStream>,
    pub(crate) addresses: Addresses<Address>,
    /// The peers that have said that they shut down.
    pub(crate) departures: BTreeSet<ActrId>,
    pub(crate) next_request: u64,
    pub(crate) exchanges: BTreeMap<ExchangeId, Exchange>,
    pub(crate) next_exchange: ExchangeId,
    pub(crate) caller: Caller,
    /// The calls that a handler has had, by who made them.
    pub(crate) handled: BTreeSet<(ActrId, ExchangeId)>,
    pub(crate) leaving: Option<Leaving>,
    /// Something was done in this round.
    pub(crate) progress: bool,
}

impl Node {
    /// `life` is random: no two lives have the same.
    pub(crate) fn new(
        actr_type: ActrType,
        address: Option<Address>,
        manner: Manner,
        calls: CallPlan,
        now: Duration,
        life: u64,
    ) -> Self {
        Self {
            manner,
            link: Link::new(actr_type, address, life),
            lanes: Vec::new(),
            upgrades: Vec::new(),
            upgrade_places: Places::new(MAX_UPGRADES),
            doorkeeper: Doorkeeper::default(),
            accounts: Accounts::new(Limits::default().of_accounts(DEFAULT_MAX_RECORD_LEN), 1, false),
            pool: Pool::default(),
            dials: Dials::default(),
            diallings: Vec::new(),
            servings: Vec::new(),
            streams: Vec::new(),
            addresses: Addresses::default(),
            departures: BTreeSet::new(),
            next_request: 0,
            exchanges: BTreeMap::new(),
            // A peer may know another life of this node under the same id.
            next_exchange: now.as_micros() as u64,
            caller: Caller::new(calls, now),
            handled: BTreeSet::new(),
            leaving: None,
            progress: false,
        }
    }

    /// What is left of a node that has stopped.
    pub(crate) fn leftovers(&self) -> usize {
        self.lanes.len()
            + self.upgrades.len()
            + self.diallings.len()
            + usize::from(!self.dials.is_empty())
            + self.pool.all().count()
            + self.servings.len()
            + self.exchanges.len()
            + self.link.requests()
            + [
                self.accounts.connections(),
                self.accounts.streams(),
                self.accounts.calls(),
                self.accounts.bytes(),
            ]
            .map(|quota| usize::from(quota.used() > 0))
            .iter()
            .sum::<usize>()
    }

    /// Does what can be done. When to be called again.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Option<Duration> {
        let mut wake = None;
        for _ in 0..MAX_ROUNDS {
            self.progress = false;
            wake = self.link.poll(cx);
            wake = earlier(wake, self.poll_upgrades(cx));
            wake = earlier(wake, self.poll_dials(cx));
            self.read_lanes(cx);
            wake = earlier(wake, self.poll_servings(cx));
            wake = earlier(wake, self.poll_senders(cx));
            wake = earlier(wake, self.poll_exchanges(cx));
            wake = earlier(wake, self.poll_streams(cx));
            wake = earlier(wake, self.poll_caller(cx));
            wake = earlier(wake, self.poll_idle(cx));
            wake = earlier(wake, self.write_lanes(cx));
            wake = earlier(wake, self.poll_leaving(cx));
            if !self.progress || cx.failure.is_some() {
                break;
            }
        }
        cx.check(!self.progress || cx.failure.is_some(), || "a turn does not end".into());
        wake
    }

    fn read_lanes(&mut self, cx: &mut Context<'_>) {
        for at in 0..self.lanes.len() {
            self.lanes[at].resume(cx);
            while self.lanes[at].is_open() {
                if self.lanes[at].is_deaf {
                    self.lanes[at].is_not_read(cx);
                    break;
                }
                if let Some(full) = self.lanes[at].full.clone() {
                    if !self.has_room(&full, self.lanes[at].socket.connection) {
                        self.lanes[at].is_not_read(cx);
                        break;
                    }
                    self.lanes[at].full = None;
                }
                match self.lanes[at].read(cx) {
                    Ok(None) => break,
                    Ok(Some(message)) => {
                        self.progress = true;
                        if let Err(end) = self.receive(at, &message, cx) {
                            self.lane_ended(at, &end, cx);
                        }
                    }
                    Err(end) => self.lane_ended(at, &end, cx),
                }
            }
        }
    }

    fn write_lanes(&mut self, cx: &mut Context<'_>) -> Option<Duration> {
        let mut wake = None;
        for at in 0..self.lanes.len() {
            let lane = &mut self.lanes[at];
            if !lane.is_open() {
                let next = lane.linger(cx);
                wake = earlier(wake, next);
                continue;
            }
            let result = lane.write(cx).and_then(|()| lane.poll_timer(cx));
            match result {
                Ok(next) => wake = earlier(wake, Some(next)),
                Err(end) => self.lane_ended(at, &end, cx),
            }
        }
        for gone in self.lanes.extract_if(.., |lane| lane.is_gone()) {
            self.pool.leave(&gone.place);
        }
        for lane in &mut self.lanes {
            self.progress |= lane.outbox.take_woken();
        }
        wake
    }

    /// A connection is over: whatever went over it learns so.
    fn lane_ended(&mut self, at: usize, end: &End, cx: &mut Context<'_>) {
        let lane = &mut self.lanes[at];
        lane.outgoing.clear();
        lane.incoming.take_all();
        lane.end(end, cx);
        let is_unused = matches!(end, End::Peer(Some(frame)) if is_unused(frame.code(), frame.reason()));
        let (connection, peer) = (lane.socket.connection, lane.peer.clone());
        self.servings.retain(|serving| serving.connection != connection);
        self.departures.remove(&peer);
        self.peer_gone(connection, &peer, is_unused, cx);
        self.progress = true;
    }

    fn poll_senders(&mut self, cx: &mut Context<'_>) -> Option<Duration> {
        let mut wake = None;
        for lane in &mut self.lanes {
            if !lane.is_open() {
                continue;
            }
            for mut outgoing in std::mem::take(&mut lane.outgoing) {
                match outgoing.poll(lane.extended, &mut lane.outbox, lane.socket, cx) {
                    Sent::Over => {
                        lane.send_control(&outgoing.last_record(false), cx);
                        lane.leave(cx);
                        self.progress = true;
                        continue;
                    }
                    Sent::Later(at) | Sent::Waits(at) => wake = earlier(wake, Some(at)),
                    Sent::Closed => {}
                }
                lane.outgoing.push(outgoing);
            }
        }
        wake
    }
}

impl Node {
    /// Where the frames go that are received.
    pub(crate) fn inboxes(&self) -> impl Iterator<Item = &Inbox> {
        self.streams.iter().filter_map(|stream| stream.inbox.as_ref())
    }
}
