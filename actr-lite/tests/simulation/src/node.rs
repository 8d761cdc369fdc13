use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use actr_lite_engine::{
    connection::End,
    peers::{addresses::Addresses, dials::Dials, pool::Pool},
    usage::UNUSED,
};
use actr_lite_wire::{
    control::Control,
    credential::{Credential, VerifyingKey},
    identity::{ActrId, ActrType},
    proto::{
        GetSigningKeyRequest, UnregisterRequest, actr_to_signaling::Payload as Request,
        signaling_to_actr::Payload as Answer,
    },
    websocket::{CloseCode, Role},
};
use bytes::BytesMut;

use crate::{
    caller::{CallPlan, Caller},
    client_stream::ClientStream,
    context::{Context, earlier},
    dialling::Dialling,
    exchange::{Exchange, ExchangeId},
    handshake::{AGREED, DATA_LANE, REFUSED, Unsent, block, introduced, read_all, take_block},
    inbox::Inbox,
    lane::{Lane, Upgraded},
    link::Link,
    network::{Address, ConnectionId, Socket},
    outgoing::Sent,
    schedule::{Manner, START_OF_TIME},
    serving::Serving,
};

/// How long a peer may take from connecting to the end of its upgrade: the node's own bound, as all that follow.
const UPGRADE_TIMEOUT: Duration = Duration::from_secs(5);
const UNREGISTER_TIMEOUT: Duration = Duration::from_secs(1);
const WORK_GRACE: Duration = Duration::from_secs(6);
const CLOSE_GRACE: Duration = Duration::from_secs(3);

/// How often a turn goes over everything: whatever one part does may be of use to another.
const MAX_ROUNDS: usize = 10_000;

/// A peer dials this node.
#[derive(Debug)]
struct Upgrade {
    socket: Socket,
    buffer: BytesMut,
    deadline: Duration,
    /// Who it says it is, and the request for the key to check that with.
    asked: Option<(u64, ActrId, Credential, bool)>,
    refusal: Option<Unsent>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Leaving {
    /// Tells the registry.
    Unregistering {
        request: Option<u64>,
        until: Duration,
    },
    /// Lets its streams come to their end.
    Finishing {
        until: Duration,
    },
    /// Closes its connections.
    Closing {
        until: Duration,
    },
    Stopped,
}

/// A server or a client in one of its lives.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) manner: Manner,
    pub(crate) link: Link,
    pub(crate) lanes: Vec<Lane>,
    upgrades: Vec<Upgrade>,
    pub(crate) pool: Pool<ConnectionId>,
    /// Who waits for connections: each learns which there is, if one is.
    pub(crate) dials: Dials<(), Option<ConnectionId>>,
    pub(crate) diallings: Vec<Dialling>,
    pub(crate) servings: Vec<Serving>,
    pub(crate) streams: Vec<ClientStream>,
    keys: BTreeMap<u32, VerifyingKey>,
    pub(crate) addresses: Addresses<Address>,
    /// The peers that have said that they shut down.
    pub(crate) departures: BTreeSet<ActrId>,
    pub(crate) next_request: u64,
    pub(crate) exchanges: BTreeMap<ExchangeId, Exchange>,
    pub(crate) next_exchange: ExchangeId,
    pub(crate) caller: Caller,
    /// The calls that a handler has had, by who made them.
    pub(crate) handled: BTreeSet<(ActrId, ExchangeId)>,
    leaving: Option<Leaving>,
    /// Something was done in this round.
    pub(crate) progress: bool,
}

impl Node {
    pub(crate) fn new(
        actr_type: ActrType,
        address: Option<Address>,
        manner: Manner,
        calls: CallPlan,
        now: Duration,
    ) -> Self {
        Self {
            manner,
            link: Link::new(actr_type, address),
            lanes: Vec::new(),
            upgrades: Vec::new(),
            pool: Pool::default(),
            dials: Dials::default(),
            diallings: Vec::new(),
            servings: Vec::new(),
            streams: Vec::new(),
            keys: BTreeMap::new(),
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

    pub(crate) fn accept(&mut self, socket: Socket, cx: &mut Context<'_>) {
        self.upgrades.push(Upgrade {
            socket,
            buffer: BytesMut::new(),
            deadline: cx.now + UPGRADE_TIMEOUT,
            asked: None,
            refusal: None,
        });
    }

    /// Begins to stop: the registry is told first, then the streams.
    pub(crate) fn leave(&mut self, cx: &mut Context<'_>) {
        if self.leaving.is_some() {
            return;
        }
        cx.record("leaves", [0, 0]);
        let request = self.link.identity().map(|identity| {
            Request::Unregister(UnregisterRequest {
                actr_id: (&identity.id).into(),
                reason: None,
            })
        });
        let request = request.map(|request| self.link.request(request, UNREGISTER_TIMEOUT, cx.now));
        self.link.leave();
        let until = cx.now + UNREGISTER_TIMEOUT;
        self.leaving = Some(Leaving::Unregistering { request, until });
    }

    pub(crate) fn is_leaving(&self) -> bool {
        self.leaving.is_some()
    }

    pub(crate) fn is_stopped(&self) -> bool {
        self.leaving == Some(Leaving::Stopped)
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
    }

    /// Does what can be done. When to be called again.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Option<Duration> {
        let mut wake = None;
        for _ in 0..MAX_ROUNDS {
            self.progress = false;
            wake = self.link.poll(cx);
            self.learn_key();
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

    fn learn_key(&mut self) {
        if let Some(identity) = self.link.identity()
            && !self.keys.contains_key(&identity.key.key_id())
        {
            self.keys.insert(identity.key.key_id(), identity.key.clone());
        }
    }

    fn poll_upgrades(&mut self, cx: &mut Context<'_>) -> Option<Duration> {
        let mut wake = None;
        for mut upgrade in std::mem::take(&mut self.upgrades) {
            if self.poll_upgrade(&mut upgrade, cx) {
                wake = earlier(wake, Some(upgrade.deadline));
                self.upgrades.push(upgrade);
            } else if let Some((number, ..)) = upgrade.asked {
                self.link.forget(number);
            }
        }
        wake
    }

    /// False: it is over.
    fn poll_upgrade(&mut self, upgrade: &mut Upgrade, cx: &mut Context<'_>) -> bool {
        let socket = upgrade.socket;
        let is_open = upgrade.asked.is_some() || read_all(socket, &mut upgrade.buffer, cx);
        if let Some(unsent) = &mut upgrade.refusal {
            let is_over = unsent.flush(socket, cx).is_err() || unsent.is_empty();
            if is_over || cx.now >= upgrade.deadline {
                cx.network.close(socket, cx.now, cx.rng);
                return false;
            }
            return true;
        }
        if !is_open || cx.now >= upgrade.deadline || self.leaving.is_some() {
            cx.network.close(socket, cx.now, cx.rng);
            return false;
        }
        if upgrade.asked.is_none()
            && let Some((kind, body)) = take_block(&mut upgrade.buffer)
        {
            let Ok((id, credential, extended)) = introduced(&body) else {
                cx.fail("an upgrade can't be read");
                return self.refuse(upgrade, cx);
            };
            cx.check(kind == DATA_LANE, || "an upgrade that is none".into());
            if !self.keys.contains_key(&credential.key_id()) && self.link.identity().is_some() {
                let key_id = credential.key_id();
                let request = Request::GetSigningKey(GetSigningKeyRequest { key_id });
                let number = self.link.request(request, UPGRADE_TIMEOUT, cx.now);
                upgrade.asked = Some((number, id, credential, extended));
                self.progress = true;
                return true;
            }
            return match self.admit(&id, &credential, cx) {
                true => self.open(upgrade, id, extended, cx),
                false => self.refuse(upgrade, cx),
            };
        }
        let Some((number, id, credential, extended)) = upgrade.asked.clone() else {
            return true;
        };
        match self.link.take_answer(number) {
            None => true,
            Some(Ok(Answer::GetSigningKey(answer))) => {
                match VerifyingKey::from_bytes(answer.key_id, &answer.pubkey) {
                    Ok(key) => {
                        self.keys.insert(key.key_id(), key);
                    }
                    Err(error) => cx.fail(error.to_string()),
                }
                match self.admit(&id, &credential, cx) {
                    true => self.open(upgrade, id, extended, cx),
                    false => self.refuse(upgrade, cx),
                }
            }
            Some(_) => self.refuse(upgrade, cx),
        }
    }

    /// The peer is told that it may not come in. Always true: the answer is to go out.
    fn refuse(&mut self, upgrade: &mut Upgrade, cx: &mut Context<'_>) -> bool {
        cx.record("refuses connection {}", [upgrade.socket.connection, 0]);
        let mut unsent = Unsent::default();
        unsent.push(&block(REFUSED, &[]));
        upgrade.refusal = Some(unsent);
        self.progress = true;
        true
    }

    fn admit(&self, id: &ActrId, credential: &Credential, cx: &mut Context<'_>) -> bool {
        let Some(key) = self.keys.get(&credential.key_id()) else {
            return false;
        };
        let verified = key.verify(credential, id, START_OF_TIME + cx.now.as_secs());
        cx.check(verified.is_ok(), || {
            format!("{id} shows a credential that is not good: {verified:?}")
        });
        verified.is_ok()
    }

    /// The peer is let in. Always false: the upgrade is over.
    fn open(&mut self, upgrade: &mut Upgrade, peer: ActrId, extended: bool, cx: &mut Context<'_>) -> bool {
        let extended = extended && self.manner.extended;
        let buffer = std::mem::take(&mut upgrade.buffer);
        cx.record(
            "accepts connection {} of {}",
            [upgrade.socket.connection, peer.serial_number()],
        );
        let upgraded = Upgraded {
            socket: upgrade.socket,
            peer,
            role: Role::Server,
            extended,
            leftover: buffer,
        };
        self.opened(upgraded, cx);
        if let Some(lane) = self.lanes.last_mut() {
            lane.outbox.send_raw(&block(AGREED, &[extended.into()]));
        }
        false
    }

    fn read_lanes(&mut self, cx: &mut Context<'_>) {
        for at in 0..self.lanes.len() {
            self.lanes[at].resume(cx);
            while self.lanes[at].is_open() {
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
                        self.receive(at, &message, cx);
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
        let is_unused =
            matches!(end, End::Peer(Some(frame)) if frame.code() == CloseCode::NORMAL && frame.reason() == UNUSED);
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
                    Sent::Later(at) => wake = earlier(wake, Some(at)),
                    Sent::NoCredit | Sent::NoRoom | Sent::Closed => {}
                }
                lane.outgoing.push(outgoing);
            }
        }
        wake
    }

    fn poll_leaving(&mut self, cx: &mut Context<'_>) -> Option<Duration> {
        match self.leaving? {
            Leaving::Unregistering { request, until } => {
                let is_answered = request.is_none_or(|request| self.link.take_answer(request).is_some());
                if !is_answered && cx.now < until {
                    return Some(until);
                }
                if let Some(request) = request {
                    self.link.forget(request);
                }
                // Only now: peers that are told to go elsewhere must not be sent here again.
                for lane in self.lanes.iter_mut().filter(|lane| lane.is_open()) {
                    lane.send_control(&Control::Leaving, cx);
                }
                self.stop_streams(cx);
                self.stop_calls(cx);
                self.leaving = Some(Leaving::Finishing {
                    until: cx.now + WORK_GRACE,
                });
                self.progress = true;
                None
            }
            Leaving::Finishing { until } => {
                let is_done = self.servings.is_empty() && self.lanes.iter().all(|lane| lane.outgoing.is_empty());
                if !is_done && cx.now < until {
                    return Some(until);
                }
                for lane in self.lanes.iter_mut().filter(|lane| lane.is_open()) {
                    for outgoing in std::mem::take(&mut lane.outgoing) {
                        lane.send_control(&outgoing.last_record(true), cx);
                        lane.leave(cx);
                    }
                    lane.close();
                }
                self.link.stop(cx);
                self.leaving = Some(Leaving::Closing {
                    until: cx.now + CLOSE_GRACE,
                });
                self.progress = true;
                None
            }
            Leaving::Closing { until } => {
                if cx.now >= until {
                    for mut lane in self.lanes.drain(..) {
                        lane.drop_now(cx);
                        self.pool.leave(&lane.place);
                    }
                    self.servings.clear();
                }
                self.stop_dials(cx);
                for upgrade in self.upgrades.drain(..) {
                    if let Some((number, ..)) = upgrade.asked {
                        self.link.forget(number);
                    }
                    cx.network.close(upgrade.socket, cx.now, cx.rng);
                }
                if self.lanes.is_empty() {
                    self.leaving = Some(Leaving::Stopped);
                    return None;
                }
                Some(until)
            }
            Leaving::Stopped => None,
        }
    }
}

impl Node {
    /// Where the frames go that are received.
    pub(crate) fn inboxes(&self) -> impl Iterator<Item = &Inbox> {
        self.streams.iter().filter_map(|stream| stream.inbox.as_ref())
    }
}
