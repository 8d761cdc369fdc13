use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use actr_lite_engine::{connection::End, usage::UNUSED};
use actr_lite_registry_client::{REQUEST_TIMEOUT, Request, UNREGISTER_TIMEOUT};
use actr_lite_wire::{
    control::Control,
    credential::{Credential, CredentialError, VerifyingKey},
    identity::{ActrId, ActrType},
    websocket::{CloseCode, Role},
};
use bytes::BytesMut;

use crate::{
    caller::{CallPlan, Caller},
    client_stream::ClientStream,
    context::{Context, earlier},
    exchange::{Exchange, ExchangeId},
    handshake::{AGREED, DATA_LANE, REFUSED, Unsent, block, introduced, introduction, read_all, take_block},
    inbox::Inbox,
    lane::Lane,
    link::Link,
    network::{Address, Socket},
    outgoing::Sent,
    schedule::Manner,
    serving::Serving,
};

/// How long a peer may take from connecting to the end of its upgrade: the node's own bound, as all that follow.
const UPGRADE_TIMEOUT: Duration = Duration::from_secs(5);
const DIAL_TIMEOUT: Duration = Duration::from_secs(5);
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

/// This node dials a peer.
#[derive(Debug)]
pub(crate) struct Dial {
    socket: Socket,
    pub(crate) peer: ActrId,
    unsent: Unsent,
    buffer: BytesMut,
    deadline: Duration,
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
    pub(crate) dials: Vec<Dial>,
    pub(crate) servings: Vec<Serving>,
    pub(crate) streams: Vec<ClientStream>,
    pub(crate) addresses: BTreeMap<ActrId, Address>,
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
        cx: &mut Context<'_>,
    ) -> Self {
        Self {
            manner,
            link: Link::new(actr_type, address, cx),
            lanes: Vec::new(),
            upgrades: Vec::new(),
            dials: Vec::new(),
            servings: Vec::new(),
            streams: Vec::new(),
            addresses: BTreeMap::new(),
            departures: BTreeSet::new(),
            next_request: 0,
            exchanges: BTreeMap::new(),
            // A peer may know another life of this node under the same id.
            next_exchange: cx.now.as_micros() as u64,
            caller: Caller::new(calls, cx.now),
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
        self.link.leave();
        let request = (!self.link.is_down()).then(|| {
            let reason = "it leaves".into();
            self.link
                .request(Request::Unregister { reason }, UNREGISTER_TIMEOUT, cx.now)
        });
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
            + self.dials.len()
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
            let key_id = credential.key_id();
            let key = self.link.known_key(key_id, cx.now);
            if key.is_none() && self.link.identity().is_some() {
                let number = self
                    .link
                    .request(Request::SigningKey { key_id }, REQUEST_TIMEOUT, cx.now);
                upgrade.asked = Some((number, id, credential, extended));
                self.progress = true;
                return true;
            }
            return match self.admit(&id, &credential, key, cx) {
                true => self.open(upgrade, id, extended, cx),
                false => self.refuse(upgrade, cx),
            };
        }
        let Some((number, id, credential, extended)) = upgrade.asked.clone() else {
            return true;
        };
        let Some(answer) = self.link.take_answer(number) else {
            return true;
        };
        let key = self.link.learned(credential.key_id(), answer, cx.now);
        match self.admit(&id, &credential, key, cx) {
            true => self.open(upgrade, id, extended, cx),
            false => self.refuse(upgrade, cx),
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

    fn admit(&self, id: &ActrId, credential: &Credential, key: Option<VerifyingKey>, cx: &mut Context<'_>) -> bool {
        match key.map(|key| key.verify(credential, id, self.link.unix_seconds(cx.now))) {
            None => false,
            Some(Ok(_)) => true,
            Some(Err(error)) => {
                let is_over = matches!(error, CredentialError::Expired { .. });
                cx.check(is_over, || format!("{id} shows a credential that is not good: {error}"));
                cx.record(
                    "is shown an ended credential by serial number {}",
                    [id.serial_number(), 0],
                );
                false
            }
        }
    }

    /// The peer is let in. Always false: the upgrade is over.
    fn open(&mut self, upgrade: &mut Upgrade, peer: ActrId, extended: bool, cx: &mut Context<'_>) -> bool {
        let extended = extended && self.manner.extended;
        let buffer = std::mem::take(&mut upgrade.buffer);
        cx.record(
            "accepts connection {} of {}",
            [upgrade.socket.connection, peer.serial_number()],
        );
        let mut lane = Lane::new(
            upgrade.socket,
            peer,
            Role::Server,
            extended,
            buffer,
            self.manner.idle_timeout,
            cx,
        );
        lane.outbox.send_raw(&block(AGREED, &[extended.into()]));
        self.lanes.push(lane);
        self.progress = true;
        false
    }

    /// Begins to dial a peer, unless that is being done. False: its address is not known.
    pub(crate) fn dial(&mut self, peer: &ActrId, cx: &mut Context<'_>) -> bool {
        if self.dials.iter().any(|dial| dial.peer == *peer) {
            return true;
        }
        let (Some(address), Some(identity)) = (self.addresses.get(peer), self.link.identity()) else {
            return false;
        };
        let mut unsent = Unsent::default();
        let body = introduction(&identity.actor_id, &identity.credential, self.manner.extended);
        unsent.push(&block(DATA_LANE, &body));
        let socket = cx.network.dial(cx.host, *address, cx.now, cx.rng);
        cx.record("dials {} by connection {}", [peer.serial_number(), socket.connection]);
        self.dials.push(Dial {
            socket,
            peer: peer.clone(),
            unsent,
            buffer: BytesMut::new(),
            deadline: cx.now + DIAL_TIMEOUT,
        });
        self.progress = true;
        true
    }

    fn poll_dials(&mut self, cx: &mut Context<'_>) -> Option<Duration> {
        let mut wake = None;
        for mut dial in std::mem::take(&mut self.dials) {
            let sent = dial.unsent.flush(dial.socket, cx);
            let is_open = read_all(dial.socket, &mut dial.buffer, cx);
            match take_block(&mut dial.buffer) {
                Some((AGREED, body)) => {
                    let extended = body.first() == Some(&1);
                    let lane = Lane::new(
                        dial.socket,
                        dial.peer,
                        Role::Client,
                        extended,
                        dial.buffer,
                        self.manner.idle_timeout,
                        cx,
                    );
                    self.lanes.push(lane);
                    self.progress = true;
                }
                None if sent.is_ok() && is_open && cx.now < dial.deadline => {
                    wake = earlier(wake, Some(dial.deadline));
                    self.dials.push(dial);
                }
                _ => {
                    cx.record("does not reach {}", [dial.peer.serial_number(), 0]);
                    cx.network.close(dial.socket, cx.now, cx.rng);
                    self.addresses.remove(&dial.peer);
                    self.progress = true;
                }
            }
        }
        wake
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
        self.lanes.retain(|lane| !lane.is_gone());
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
                    for lane in &mut self.lanes {
                        lane.drop_now(cx);
                    }
                    self.lanes.clear();
                    self.servings.clear();
                }
                for dial in self.dials.drain(..) {
                    cx.network.close(dial.socket, cx.now, cx.rng);
                }
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
