use std::{collections::BTreeMap, time::Duration};

use actr_lite_registry_client::{
    Identity, LinkConfig, LoadReport, MAX_MESSAGE_LEN, Registration, RegistryLinkError, RegistryUrl, Request, answer,
    link::{Action, Event, Link as Decisions},
    reissue_request, renew_request,
};
use actr_lite_wire::{
    credential::VerifyingKey,
    identity::ActrType,
    proto::{RegisterResponse, SignalingEnvelope, signaling_to_actr::Payload},
    websocket::{Decoder, Event as Frame, HEADER_ROOM, Role, seal},
};
use bytes::{Buf as _, Bytes, BytesMut};
use prost::Message as _;
use rand::RngExt as _;

use crate::{
    asking::Asking,
    context::{Context, earlier},
    handshake::{REGISTER, REISSUE, RENEW, SIGNALING, Unsent, introduction, read_all},
    network::{Address, Socket},
};

/// What the registry says to a request, or why it does not.
pub(crate) type Answer = Result<Payload, RegistryLinkError>;

/// A node's connection to its registry: the network and the clock around what the registry client decides.
#[derive(Debug)]
pub(crate) struct Link {
    config: LinkConfig,
    address: Option<Address>,
    decisions: Decisions<u64>,
    asking: Option<Asking>,
    opening: Option<Asking>,
    open: Option<Open>,
    /// The numbers of those requests there that have no answer.
    asked: BTreeMap<u64, u64>,
    answers: BTreeMap<u64, Answer>,
    next_number: u64,
}

/// A signaling connection.
#[derive(Debug)]
struct Open {
    socket: Socket,
    unsent: Unsent,
    decoder: Decoder,
    buffer: BytesMut,
}

impl Link {
    pub(crate) fn new(actr_type: ActrType, address: Option<Address>, life: u64) -> Self {
        let url = "ws://registry/signaling/ws".parse();
        let mut config = LinkConfig::new(url.unwrap_or_else(|error| unreachable!("{error}")), actr_type, 1);
        config.prover = None;
        config.ws_address = address.map(|address| format!("ws://{address}"));
        Self {
            address,
            decisions: Decisions::new(config.url.clone(), life),
            config,
            asking: None,
            opening: None,
            open: None,
            asked: BTreeMap::new(),
            answers: BTreeMap::new(),
            next_number: 0,
        }
    }

    /// Where the node listens.
    pub(crate) fn address(&self) -> Option<Address> {
        self.address
    }

    pub(crate) fn identity(&self) -> Option<&Identity> {
        self.decisions.identity()
    }

    fn serial_number(&self) -> Option<u64> {
        self.identity().map(|identity| identity.actor_id.serial_number())
    }

    /// Whether the registry can't be asked now.
    pub(crate) fn is_down(&self) -> bool {
        self.decisions.state().last_error().is_some()
    }

    /// What time it is at the registry.
    pub(crate) fn unix_seconds(&self, now: Duration) -> u64 {
        self.decisions.unix_time(now).unwrap_or_default().as_secs()
    }

    pub(crate) fn known_key(&self, key_id: u32, now: Duration) -> Option<VerifyingKey> {
        self.decisions.known_key(key_id, now)
    }

    /// The key that an answer shows.
    pub(crate) fn learned(&mut self, key_id: u32, answer: Answer, now: Duration) -> Option<VerifyingKey> {
        let learned = answer.and_then(|answer| answer::signing_key(answer, key_id));
        self.decisions.learned(key_id, learned, now).ok()
    }

    /// Asks the registry; the answer comes under this number.
    pub(crate) fn request(&mut self, request: Request, timeout: Duration, now: Duration) -> u64 {
        self.next_number += 1;
        match self.decisions.ask(request, timeout, self.next_number, now) {
            Ok(number) => drop(self.asked.insert(self.next_number, number)),
            Err(error) => drop(self.answers.insert(self.next_number, Err(error))),
        }
        self.next_number
    }

    pub(crate) fn take_answer(&mut self, number: u64) -> Option<Answer> {
        self.answers.remove(&number)
    }

    /// How many requests wait, for the registry or to be taken.
    pub(crate) fn requests(&self) -> usize {
        self.decisions.waiting_requests() + self.answers.len()
    }

    /// Nobody waits for the answer any more.
    pub(crate) fn forget(&mut self, number: u64) {
        if let Some(number) = self.asked.remove(&number) {
            self.decisions.take_back(number);
        }
        self.answers.remove(&number);
    }

    /// A connection that is lost from now on is not opened again.
    pub(crate) fn leave(&mut self) {
        self.decisions.leave();
    }

    pub(crate) fn stop(&mut self, cx: &mut Context<'_>) {
        self.decisions.stop();
        let asking = [self.asking.take(), self.opening.take()];
        let asking = asking.into_iter().flatten().map(|asking| asking.socket);
        for socket in asking.chain(self.open.take().map(|open| open.socket)) {
            cx.network.close(socket, cx.now, cx.rng);
        }
    }

    /// Does what can be done. When to be called again.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Option<Duration> {
        loop {
            let wake = self.act(cx);
            if let Some(event) = self.next_event(cx) {
                let before = self.serial_number();
                self.decisions.handle(event, cx.now, cx.rng.random());
                if let Some(number) = self.serial_number().filter(|_| before != self.serial_number()) {
                    cx.record("is registered under serial number {}", [number, 0]);
                }
                continue;
            }
            let asking = [&self.asking, &self.opening].into_iter().flatten();
            let wake = asking.fold(wake, |wake, asking| earlier(wake, Some(asking.deadline)));
            let answered = (!self.answers.is_empty()).then_some(cx.now);
            return earlier(wake, answered);
        }
    }

    /// Does all that is to be done now. When to be polled again.
    fn act(&mut self, cx: &mut Context<'_>) -> Option<Duration> {
        loop {
            let can_send = self.open.as_mut().is_some_and(|open| open.flush(cx));
            match self.decisions.poll(cx.now, LoadReport::IDLE, can_send, cx.rng.random()) {
                Action::Register => {
                    if self.identity().is_some() {
                        cx.record("is to register again", [0, 0]);
                    }
                    let request = self.config.register_request().encode_to_vec();
                    let asking = Asking::new("registration", REGISTER, &request, cx);
                    replace(&mut self.asking, Some(asking), cx);
                }
                Action::Renew { identity, token } => {
                    let serial_number = identity.actor_id.serial_number();
                    cx.record("renews the credential of serial number {}", [serial_number, 0]);
                    let request = renew_request(&identity, &token).encode_to_vec();
                    let asking = Asking::new("renewal", RENEW, &request, cx);
                    replace(&mut self.asking, Some(asking), cx);
                }
                Action::Reissue { identity, token } => {
                    let serial_number = identity.actor_id.serial_number();
                    cx.record("keeps the id of serial number {}", [serial_number, 0]);
                    let request = reissue_request(&self.config, &identity, &token).encode_to_vec();
                    let asking = Asking::new("reissue", REISSUE, &request, cx);
                    replace(&mut self.asking, Some(asking), cx);
                }
                Action::Open(identity) => {
                    let body = introduction(&identity.actor_id, &identity.credential);
                    let asking = Asking::new("signaling connection", SIGNALING, &body, cx);
                    replace(&mut self.opening, Some(asking), cx);
                }
                Action::Send(envelope) => {
                    let message = sealed(&envelope, Role::Client, cx);
                    if let Some(open) = &mut self.open {
                        open.unsent.push(&message);
                    }
                }
                Action::Ping => cx.fail("heartbeats are frequent enough to do without pings"),
                Action::Close | Action::Drop => {
                    if let Some(mut open) = self.open.take() {
                        cx.record("loses its registry", [0, 0]);
                        open.flush(cx);
                        cx.network.close(open.socket, cx.now, cx.rng);
                    }
                }
                Action::Answer(number, answer) => {
                    self.asked.remove(&number);
                    self.answers.insert(number, answer);
                }
                Action::Relay(_) => cx.fail("no node says anything to another one"),
                Action::Wait(until) => return until,
                Action::Stop => return None,
            }
        }
    }

    /// What has come, if anything has.
    fn next_event(&mut self, cx: &mut Context<'_>) -> Option<Event> {
        let url = &self.config.url;
        if let Some(answer) = self.asking.as_mut().and_then(|asking| asking.poll(url, cx)) {
            replace(&mut self.asking, None, cx);
            return Some(Event::Granted(answer.and_then(|answer| granted(answer, cx))));
        }
        if let Some(answer) = self.opening.as_mut().and_then(|asking| asking.poll(url, cx)) {
            if answer.is_ok() {
                self.open = self.opening.take().map(Open::new);
            }
            replace(&mut self.opening, None, cx);
            return Some(Event::Opened(answer.map(drop)));
        }
        self.open.as_mut()?.next_event(url, cx)
    }
}

impl Open {
    fn new(asking: Asking) -> Self {
        Self {
            socket: asking.socket,
            unsent: Unsent::default(),
            decoder: Decoder::new(Role::Client, MAX_MESSAGE_LEN),
            buffer: asking.buffer,
        }
    }

    /// False: not all that was sent is on its way.
    fn flush(&mut self, cx: &mut Context<'_>) -> bool {
        // An error is met by the next read.
        self.unsent.flush(self.socket, cx).is_ok() && self.unsent.is_empty()
    }

    fn next_event(&mut self, url: &RegistryUrl, cx: &mut Context<'_>) -> Option<Event> {
        let is_open = read_all(self.socket, &mut self.buffer, cx);
        match self.decoder.decode(&mut self.buffer) {
            Ok(Some(Frame::Binary(message))) => return Some(Event::Received(message)),
            Ok(Some(Frame::Ping(_) | Frame::Pong(_) | Frame::Text)) => return Some(Event::SignOfLife),
            Ok(None) if is_open => return None,
            Ok(None | Some(Frame::Close(_))) => {}
            Err(error) => cx.fail(format!("the registry broke the protocol: {error}")),
        }
        Some(Event::Lost(RegistryLinkError::Unreachable {
            url: url.clone(),
            cause: "it closed the connection".into(),
        }))
    }
}

/// Closes the connection over which something was asked.
fn replace(place: &mut Option<Asking>, next: Option<Asking>, cx: &mut Context<'_>) {
    if let Some(before) = std::mem::replace(place, next) {
        cx.network.close(before.socket, cx.now, cx.rng);
    }
}

/// Reads what AIS grants: when that was, and what.
fn granted(mut answer: Bytes, cx: &mut Context<'_>) -> Result<Registration, RegistryLinkError> {
    let answered_at = answer.try_get_u64().unwrap_or_default();
    let response = RegisterResponse::decode(answer).unwrap_or_else(|error| {
        cx.fail(format!("what the registry grants can't be read: {error}"));
        RegisterResponse::default()
    });
    Registration::from_response("registration", response, answered_at)
}

/// An envelope as one message.
pub(crate) fn sealed(envelope: &SignalingEnvelope, role: Role, cx: &mut Context<'_>) -> Vec<u8> {
    let mut message = vec![0; HEADER_ROOM];
    message.extend_from_slice(&envelope.encode_to_vec());
    let mask = role.masks().then(|| cx.rng.random::<u32>().to_be_bytes());
    let start = seal(&mut message, mask);
    message.split_off(start)
}
