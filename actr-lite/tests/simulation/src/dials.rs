use std::time::Duration;

use actr_lite_engine::{
    peers::{
        addresses::LookUp,
        dial::{Action, Dial, Failure, UPGRADE_TIMEOUT},
        dials::DialId,
        pool::Sharing,
    },
    upgrade::offer::{Agreed, Offer, refusal},
};
use actr_lite_registry_client::{Identity, REQUEST_TIMEOUT, Request};
use actr_lite_wire::{identity::ActrId, record_limit::RecordLimit, websocket::Role};
use bytes::BytesMut;
use http::{StatusCode, header::SEC_WEBSOCKET_PROTOCOL};
use rand::RngExt as _;

use crate::{
    context::{Context, earlier},
    dialling::{Dialling, Step},
    exchange::{Reached, Reaching},
    handshake::{DATA_LANE, Head, Unsent, block, read_all, take_block},
    lane::{Lane, Upgraded},
    network::{Address, ConnectionId},
    node::Node,
};

/// How a node connects to its peers: the shell around the engine's dials.
impl Node {
    /// The connection to a peer: an open one, or a new one.
    pub(crate) fn reach(&mut self, reaching: &mut Reaching, cx: &mut Context<'_>) -> Reached {
        loop {
            if cx.now >= reaching.until {
                self.stop_reaching(reaching, cx);
                return Reached::Never;
            }
            let Some(id) = reaching.dial else {
                if let Some(lane) = self.usable_lane(&reaching.peer) {
                    return Reached::Lane(lane);
                }
                let (id, is_new) = self.dials.join(&reaching.peer);
                reaching.dial = Some(id);
                if is_new {
                    self.dial(id, &reaching.peer, cx);
                }
                continue;
            };
            let Some(made) = self.dials.outcome(id).copied() else {
                return Reached::NotYet;
            };
            self.stop_reaching(reaching, cx);
            let mut lanes = self.lanes.iter();
            match lanes.position(|lane| Some(lane.socket.connection) == made && lane.is_open()) {
                Some(lane) if self.lanes[lane].is_usable() => return Reached::Lane(lane),
                // It came so late that the connection is being closed again for want of use: once more.
                Some(_) => {}
                None => return Reached::Never,
            }
        }
    }

    /// Waits for a connection no more.
    pub(crate) fn stop_reaching(&mut self, reaching: &mut Reaching, cx: &mut Context<'_>) {
        let Some(id) = reaching.dial.take() else { return };
        self.dials.leave(id);
        if self.dials.is_dropped(id)
            && let Some(at) = self.diallings.iter().position(|dialling| dialling.id == id)
        {
            let dialling = self.diallings.swap_remove(at);
            self.drop_dialling(dialling, cx);
        }
    }

    fn drop_dialling(&mut self, dialling: Dialling, cx: &mut Context<'_>) {
        match dialling.step {
            Step::Next => {}
            Step::Asked { number, .. } => self.link.forget(number),
            Step::Upgrading { socket, .. } => cx.network.close(socket, cx.now, cx.rng),
        }
    }

    /// The connection that a new call to this peer takes.
    pub(crate) fn usable_lane(&self, peer: &ActrId) -> Option<usize> {
        let lane = |connection: &u64| self.lanes.iter().position(|lane| lane.socket.connection == *connection);
        self.pool.find(peer, |connection| {
            lane(connection).filter(|lane| self.lanes[*lane].is_usable())
        })
    }

    /// Begins to dial a peer.
    fn dial(&mut self, id: DialId, peer: &ActrId, cx: &mut Context<'_>) {
        let is_other = self.diallings.iter().all(|dialling| dialling.peer != *peer);
        cx.check(is_other, || format!("{peer} is dialled twice at a time"));
        let known = self.addresses.look_up(peer, self.link.is_down());
        if let LookUp::Doubtful(_) = known {
            cx.record("doubts the address of {}", [peer.serial_number(), 0]);
        }
        self.diallings.push(Dialling {
            id,
            peer: peer.clone(),
            dial: Dial::new(known),
            step: Step::Next,
            admission: self.accounts.of(peer).and_then(|account| account.dial()).ok(),
        });
        self.progress = true;
    }

    /// Does for each dial what can be done. When to be called again.
    pub(crate) fn poll_dials(&mut self, cx: &mut Context<'_>) -> Option<Duration> {
        let mut wake = None;
        for mut dialling in std::mem::take(&mut self.diallings) {
            match self.poll_dial(&mut dialling, cx) {
                Ok(until) => {
                    wake = earlier(wake, Some(until));
                    self.diallings.push(dialling);
                }
                Err(outcome) => {
                    if outcome.is_none() {
                        cx.record("does not reach {}", [dialling.peer.serial_number(), 0]);
                    }
                    self.dials.conclude(dialling.id, outcome);
                    self.progress = true;
                }
            }
        }
        wake
    }

    /// When to be called again, or what came of it.
    fn poll_dial(&mut self, dialling: &mut Dialling, cx: &mut Context<'_>) -> Result<Duration, Option<ConnectionId>> {
        loop {
            if dialling.admission.is_none() {
                return Err(None);
            }
            match &mut dialling.step {
                Step::Next => match dialling.dial.next(cx.now) {
                    Action::Ask { timeout } => {
                        let timeout = timeout.unwrap_or(REQUEST_TIMEOUT);
                        let id = dialling.peer.clone();
                        let number = self.link.request(Request::Candidate { id }, timeout, cx.now);
                        let until = cx.now + timeout;
                        dialling.step = Step::Asked { number, until };
                        return Ok(until);
                    }
                    Action::Connect(address) => {
                        cx.check(self.dials.may_ask(dialling.id), || "nobody wants it".into());
                        dialling.step = self.ask_for_upgrade(&dialling.peer, address, cx).ok_or(None)?
                    }
                    Action::Wait(until) => return Ok(until),
                },
                Step::Asked { number, until } => {
                    let (number, until) = (*number, *until);
                    let answer = self.link.take_answer(number);
                    if answer.is_none() && cx.now < until {
                        return Ok(until);
                    }
                    self.link.forget(number);
                    let peer = &dialling.peer;
                    match answer.and_then(|answer| self.named(answer, cx)) {
                        Some(named) => {
                            if !named.contains(peer) {
                                self.addresses.forget(peer);
                            }
                            let LookUp::Known(address) = self.addresses.look_up(peer, true) else {
                                return Err(None);
                            };
                            dialling.dial.told(address);
                        }
                        None if dialling.dial.not_told() => {}
                        None => return Err(None),
                    }
                    dialling.step = Step::Next;
                }
                Step::Upgrading { deadline, .. } => {
                    let deadline = *deadline;
                    let failure = match self.upgraded(dialling, cx) {
                        Ok(None) => return Ok(deadline),
                        Ok(Some(upgraded)) => return Err(Some(self.opened(upgraded, cx))),
                        Err(failure) => failure,
                    };
                    if let Err(given_up) = dialling.dial.failed(failure, cx.now, cx.rng.random()) {
                        if given_up.doubts_address {
                            self.addresses.doubt(&dialling.peer);
                        }
                        return Err(None);
                    }
                    dialling.step = Step::Next;
                }
            }
        }
    }

    /// Connects, and asks for an upgrade; `None`: this node is nobody yet.
    fn ask_for_upgrade(&self, peer: &ActrId, address: Address, cx: &mut Context<'_>) -> Option<Step> {
        let identity = self.link.identity()?;
        let websocket_key = format!("{:032x}", cx.rng.random::<u128>());
        let mut headers = offer(identity, &websocket_key).headers().unwrap_or_default();
        if !self.manner.extended {
            headers.remove(SEC_WEBSOCKET_PROTOCOL);
        }
        let mut unsent = Unsent::default();
        unsent.push(&block(DATA_LANE, &Head::request(headers).to_bytes()));
        let socket = cx.network.dial(cx.host, address, cx.now, cx.rng);
        cx.record("dials {} by connection {}", [peer.serial_number(), socket.connection]);
        Some(Step::Upgrading {
            socket,
            unsent,
            buffer: BytesMut::new(),
            websocket_key,
            deadline: cx.now + UPGRADE_TIMEOUT,
        })
    }

    /// What came of being asked; none yet.
    fn upgraded(&self, dialling: &mut Dialling, cx: &mut Context<'_>) -> Result<Option<Upgraded>, Failure> {
        let (
            Step::Upgrading {
                socket,
                unsent,
                buffer,
                websocket_key,
                deadline,
            },
            Some(identity),
        ) = (&mut dialling.step, self.link.identity())
        else {
            return Err(Failure::Unreachable);
        };
        let socket = *socket;
        let sent = unsent.flush(socket, cx);
        let is_open = read_all(socket, buffer, cx);
        let answer = take_block(buffer).map(|(_, body)| Head::read(&body));
        let failure = match answer {
            None if sent.is_ok() && is_open && cx.now < *deadline => return Ok(None),
            None => Failure::Unreachable,
            Some(answer) if answer.status == StatusCode::SWITCHING_PROTOCOLS => {
                match offer(identity, websocket_key).agreed(&answer.headers) {
                    Ok(Agreed { extended, .. }) => {
                        let admission = dialling.admission.take().ok_or(Failure::Unreachable)?;
                        return Ok(Some(Upgraded {
                            admission,
                            socket,
                            peer: dialling.peer.clone(),
                            role: Role::Client,
                            extended,
                            leftover: std::mem::take(buffer),
                        }));
                    }
                    Err(error) => {
                        cx.fail(error.to_string());
                        Failure::Unreachable
                    }
                }
            }
            Some(answer) => refusal(answer.status, &answer.headers),
        };
        cx.network.close(socket, cx.now, cx.rng);
        Err(failure)
    }

    /// A connection to a peer is there: which.
    pub(crate) fn opened(&mut self, upgraded: Upgraded, cx: &mut Context<'_>) -> ConnectionId {
        let connection = upgraded.socket.connection;
        let place = self.pool.enter(upgraded.peer.clone(), connection, Sharing::Shared);
        self.lanes
            .push(Lane::new(upgraded, place, self.manner.idle_timeout, cx));
        self.progress = true;
        connection
    }

    /// The node stops: whoever waits for a connection waits no more.
    pub(crate) fn stop_dials(&mut self, cx: &mut Context<'_>) {
        for dialling in std::mem::take(&mut self.diallings) {
            self.dials.conclude(dialling.id, None);
            self.drop_dialling(dialling, cx);
        }
    }
}

/// What a node asks of those that it dials.
fn offer<'a>(identity: &'a Identity, websocket_key: &'a str) -> Offer<'a> {
    Offer {
        id: &identity.actor_id,
        credential: &identity.credential,
        proof: None,
        websocket_key,
        record_limit: RecordLimit::default(),
        keeps_open: false,
    }
}
