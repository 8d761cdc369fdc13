use std::{collections::BTreeMap, time::Duration};

use actr_lite_wire::{
    backoff::Backoff,
    credential::{Credential, VerifyingKey},
    error_code::ErrorCode,
    identity::{ActrId, ActrType},
    proto::{
        ActrToSignaling, Ping, Realm, RegisterRequest, RegisterResponse, ServiceAvailabilityState, SignalingEnvelope,
        actr_to_signaling::Payload as Request, register_response, signaling_envelope::Flow,
        signaling_to_actr::Payload as Answer,
    },
    websocket::{Decoder, Event, HEADER_ROOM, Role, seal},
};
use bytes::BytesMut;
use prost::Message as _;
use rand::RngExt as _;

use crate::{
    context::{Context, earlier},
    handshake::{AGREED, REGISTER, SIGNALING, Unsent, block, introduction, read_all, take_block},
    network::{Address, REGISTRY_ADDRESS, Socket},
};

/// How long a request waits for its answer: the registry client's own bound, as all that follow.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(5);
const DEAD_AFTER: Duration = Duration::from_secs(10);
const PROBE_INTERVAL: Duration = Duration::from_secs(5);
const FIRST_WAIT: Duration = Duration::from_millis(100);
const LONGEST_WAIT: Duration = Duration::from_secs(1);
/// Its three seconds to connect and four to be answered, in one.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(7);

const MAX_ENVELOPE: usize = 1 << 20;

/// Who a node is.
#[derive(Debug, Clone)]
pub(crate) struct Identity {
    pub(crate) id: ActrId,
    pub(crate) credential: Credential,
    pub(crate) key: VerifyingKey,
}

#[derive(Debug)]
enum State {
    Waiting(Duration),
    /// Asks for an identity.
    Registering(Asking),
    /// Asks for a signaling connection.
    Opening(Asking),
    Connected(Box<Session>),
    Stopped,
}

#[derive(Debug)]
struct Asking {
    socket: Socket,
    unsent: Unsent,
    buffer: BytesMut,
    deadline: Duration,
}

#[derive(Debug)]
struct Session {
    socket: Socket,
    unsent: Unsent,
    decoder: Decoder,
    buffer: BytesMut,
    heard: Duration,
    next_heartbeat: Duration,
}

#[derive(Debug)]
struct Pending {
    request: Request,
    is_sent: bool,
    deadline: Duration,
}

/// A node's connection to its registry: as the registry client's upkeep and session together.
#[derive(Debug)]
pub(crate) struct Link {
    actr_type: ActrType,
    address: Option<Address>,
    /// The last one; the registry may have forgotten it.
    identity: Option<Identity>,
    is_registered: bool,
    /// The registry has accepted the identity.
    is_confirmed: bool,
    backoff: Backoff,
    state: State,
    pending: BTreeMap<u64, Pending>,
    answers: BTreeMap<u64, Result<Answer, ErrorCode>>,
    next_number: u64,
    heartbeats: u64,
    is_leaving: bool,
}

impl Link {
    pub(crate) fn new(actr_type: ActrType, address: Option<Address>) -> Self {
        Self {
            actr_type,
            address,
            identity: None,
            is_registered: false,
            is_confirmed: false,
            backoff: Backoff::new(FIRST_WAIT, LONGEST_WAIT),
            state: State::Waiting(Duration::ZERO),
            pending: BTreeMap::new(),
            answers: BTreeMap::new(),
            next_number: 0,
            heartbeats: 0,
            is_leaving: false,
        }
    }

    /// Where the node listens.
    pub(crate) fn address(&self) -> Option<Address> {
        self.address
    }

    pub(crate) fn identity(&self) -> Option<&Identity> {
        self.identity.as_ref()
    }

    /// Whether it waits for anything: a stopped one does not.
    pub(crate) fn is_stopped(&self) -> bool {
        matches!(self.state, State::Stopped)
    }

    /// Whether requests go out at once.
    pub(crate) fn is_connected(&self) -> bool {
        matches!(self.state, State::Connected(_))
    }

    /// Asks the registry; the answer comes under this number.
    pub(crate) fn request(&mut self, request: Request, timeout: Duration, now: Duration) -> u64 {
        self.next_number += 1;
        let pending = Pending {
            request,
            is_sent: false,
            deadline: now + timeout.min(REQUEST_TIMEOUT),
        };
        self.pending.insert(self.next_number, pending);
        self.next_number
    }

    pub(crate) fn take_answer(&mut self, number: u64) -> Option<Result<Answer, ErrorCode>> {
        self.answers.remove(&number)
    }

    /// How many requests wait, for the registry or to be taken.
    pub(crate) fn requests(&self) -> usize {
        self.pending.len() + self.answers.len()
    }

    /// Nobody waits for the answer any more.
    pub(crate) fn forget(&mut self, number: u64) {
        self.pending.remove(&number);
        self.answers.remove(&number);
    }

    /// A connection that is lost from now on is not opened again.
    pub(crate) fn leave(&mut self) {
        self.is_leaving = true;
    }

    pub(crate) fn stop(&mut self, cx: &mut Context<'_>) {
        let state = std::mem::replace(&mut self.state, State::Stopped);
        let socket = match state {
            State::Registering(asking) | State::Opening(asking) => asking.socket,
            State::Connected(session) => session.socket,
            State::Waiting(_) | State::Stopped => return,
        };
        cx.network.close(socket, cx.now, cx.rng);
    }

    /// Does what can be done. When to be called again.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Option<Duration> {
        loop {
            let state = std::mem::replace(&mut self.state, State::Stopped);
            let (state, is_done) = match state {
                State::Waiting(until) if cx.now < until => (State::Waiting(until), true),
                State::Waiting(_) if self.is_leaving => (State::Stopped, true),
                State::Waiting(_) => (self.next_try(cx), false),
                State::Registering(asking) => self.poll_registering(asking, cx),
                State::Opening(asking) => self.poll_opening(asking, cx),
                State::Connected(session) => self.poll_session(session, cx),
                State::Stopped => (State::Stopped, true),
            };
            self.state = state;
            if is_done {
                break;
            }
        }
        let late: Vec<u64> = self
            .pending
            .iter()
            .filter(|(_, pending)| pending.deadline <= cx.now || self.is_stopped())
            .map(|(number, _)| *number)
            .collect();
        for number in late {
            self.pending.remove(&number);
            self.answers.insert(number, Err(ErrorCode::TimedOut));
        }
        let deadline = self.pending.values().map(|pending| pending.deadline).min();
        let deadline = if self.answers.is_empty() {
            deadline
        } else {
            Some(cx.now)
        };
        earlier(deadline, self.next_wake())
    }

    fn next_wake(&self) -> Option<Duration> {
        match &self.state {
            State::Waiting(until) => Some(*until),
            State::Registering(asking) | State::Opening(asking) => Some(asking.deadline),
            State::Connected(session) => Some(session.next_heartbeat.min(session.heard + DEAD_AFTER)),
            State::Stopped => None,
        }
    }

    fn ask(&self, kind: u8, body: &[u8], cx: &mut Context<'_>) -> Asking {
        let mut unsent = Unsent::default();
        unsent.push(&block(kind, body));
        Asking {
            socket: cx.network.dial(cx.host, REGISTRY_ADDRESS, cx.now, cx.rng),
            unsent,
            buffer: BytesMut::new(),
            deadline: cx.now + ANSWER_TIMEOUT,
        }
    }

    fn next_try(&mut self, cx: &mut Context<'_>) -> State {
        match &self.identity {
            Some(identity) if self.is_registered => {
                let body = introduction(&identity.id, &identity.credential, true);
                State::Opening(self.ask(SIGNALING, &body, cx))
            }
            _ => {
                let request = RegisterRequest {
                    actr_type: (&self.actr_type).into(),
                    realm: Realm { realm_id: 1 },
                    ws_address: self.address.map(|address| format!("ws://{address}")),
                    ..Default::default()
                };
                State::Registering(self.ask(REGISTER, &request.encode_to_vec(), cx))
            }
        }
    }

    fn retry(&mut self, cx: &mut Context<'_>) -> (State, bool) {
        let wait = self.backoff.next_wait(cx.rng.random());
        (State::Waiting(cx.now + wait), false)
    }

    /// The registry does not accept the identity: a new one is worth an immediate try if it did before.
    fn identity_refused(&mut self, cx: &mut Context<'_>) -> (State, bool) {
        cx.record("is to register again", [0, 0]);
        self.is_registered = false;
        if std::mem::take(&mut self.is_confirmed) {
            (State::Waiting(cx.now), false)
        } else {
            self.retry(cx)
        }
    }

    /// The answer to what was asked; none yet, or none ever.
    fn poll_asking(asking: &mut Asking, cx: &mut Context<'_>) -> Result<Option<(u8, bytes::Bytes)>, ()> {
        let sent = asking.unsent.flush(asking.socket, cx);
        let is_open = read_all(asking.socket, &mut asking.buffer, cx);
        match take_block(&mut asking.buffer) {
            Some(block) => Ok(Some(block)),
            None if sent.is_err() || !is_open || cx.now >= asking.deadline => Err(()),
            None => Ok(None),
        }
    }

    fn poll_registering(&mut self, mut asking: Asking, cx: &mut Context<'_>) -> (State, bool) {
        let answer = match Self::poll_asking(&mut asking, cx) {
            Ok(None) => return (State::Registering(asking), true),
            answer => answer,
        };
        cx.network.close(asking.socket, cx.now, cx.rng);
        let granted = match answer {
            Ok(Some((AGREED, body))) => RegisterResponse::decode(body).ok().and_then(|response| response.result),
            _ => None,
        };
        let Some(register_response::Result::Success(granted)) = granted else {
            return self.retry(cx);
        };
        let id = ActrId::try_from(&granted.actr_id);
        let key = VerifyingKey::from_bytes(granted.signing_key_id, &granted.signing_pubkey);
        let (Ok(id), Ok(key)) = (id, key) else {
            cx.fail("the registry's grant can't be read");
            return self.retry(cx);
        };
        cx.record("is registered under serial number {}", [id.serial_number(), 0]);
        self.identity = Some(Identity {
            id,
            credential: granted.credential.into(),
            key,
        });
        self.is_registered = true;
        self.is_confirmed = false;
        (State::Waiting(cx.now), false)
    }

    fn poll_opening(&mut self, mut asking: Asking, cx: &mut Context<'_>) -> (State, bool) {
        match Self::poll_asking(&mut asking, cx) {
            Ok(None) => (State::Opening(asking), true),
            Ok(Some((AGREED, _))) => {
                for pending in self.pending.values_mut() {
                    pending.is_sent = false;
                }
                let session = Session {
                    socket: asking.socket,
                    unsent: Unsent::default(),
                    decoder: Decoder::new(Role::Client, MAX_ENVELOPE),
                    buffer: asking.buffer,
                    heard: cx.now,
                    next_heartbeat: cx.now,
                };
                (State::Connected(Box::new(session)), false)
            }
            Ok(Some(_)) => {
                cx.network.close(asking.socket, cx.now, cx.rng);
                self.identity_refused(cx)
            }
            Err(()) => {
                cx.network.close(asking.socket, cx.now, cx.rng);
                self.retry(cx)
            }
        }
    }

    fn poll_session(&mut self, mut session: Box<Session>, cx: &mut Context<'_>) -> (State, bool) {
        let before = session.buffer.len();
        let is_open = read_all(session.socket, &mut session.buffer, cx);
        if session.buffer.len() > before {
            session.heard = cx.now;
        }
        let mut is_refused = false;
        let mut is_lost = !is_open;
        loop {
            match session.decoder.decode(&mut session.buffer) {
                Ok(Some(Event::Binary(bytes))) => match SignalingEnvelope::decode(bytes) {
                    Ok(envelope) => is_refused |= self.receive(envelope),
                    Err(error) => cx.fail(format!("the registry sent what is not an envelope: {error}")),
                },
                Ok(Some(Event::Close(_))) => is_lost = true,
                Ok(Some(_)) => {}
                Ok(None) => break,
                Err(error) => {
                    cx.fail(format!("the registry broke the protocol: {error}"));
                    is_lost = true;
                    break;
                }
            }
        }
        if self.is_confirmed {
            self.backoff.reset();
        }
        if is_refused || is_lost || cx.now >= session.heard + DEAD_AFTER {
            cx.network.close(session.socket, cx.now, cx.rng);
            cx.record("loses its registry", [is_refused.into(), is_open.into()]);
            return if is_refused {
                self.identity_refused(cx)
            } else {
                self.retry(cx)
            };
        }
        if cx.now >= session.next_heartbeat {
            session.next_heartbeat = cx.now + PROBE_INTERVAL;
            self.heartbeats += 1;
            let ping = Request::Ping(Ping {
                availability: ServiceAvailabilityState::Full.into(),
                power_reserve: 1.0,
                mailbox_backlog: 0.0,
                sticky_client_ids: Vec::new(),
            });
            self.send(&mut session, format!("h{}", self.heartbeats), ping, cx);
        }
        let unsent: Vec<(u64, Request)> = self
            .pending
            .iter_mut()
            .filter_map(|(number, pending)| {
                let is_new = !std::mem::replace(&mut pending.is_sent, true);
                is_new.then(|| (*number, pending.request.clone()))
            })
            .collect();
        for (number, request) in unsent {
            self.send(&mut session, number.to_string(), request, cx);
        }
        // An error is met by the next read.
        let _ = session.unsent.flush(session.socket, cx);
        (State::Connected(session), true)
    }

    /// True: the registry does not know the node any more.
    fn receive(&mut self, envelope: SignalingEnvelope) -> bool {
        let answer = match envelope.flow {
            Some(Flow::EnvelopeError(error)) => Err(error),
            Some(Flow::ServerToActr(message)) => match message.payload {
                Some(Answer::Error(error)) => Err(error),
                Some(payload) => Ok(payload),
                None => return false,
            },
            _ => return false,
        };
        let number = envelope.reply_for.unwrap_or_default();
        if number.starts_with('h') {
            self.is_confirmed |= answer.is_ok();
            return answer.is_err();
        }
        self.is_confirmed |= answer.is_ok();
        if let Ok(number) = number.parse()
            && self.pending.remove(&number).is_some()
        {
            self.answers.insert(number, answer.map_err(|error| error.code.into()));
        }
        false
    }

    fn send(&self, session: &mut Session, number: String, payload: Request, cx: &mut Context<'_>) {
        let Some(identity) = &self.identity else { return };
        let envelope = SignalingEnvelope {
            envelope_version: 1,
            envelope_id: number,
            flow: Some(Flow::ActrToServer(ActrToSignaling {
                source: (&identity.id).into(),
                credential: identity.credential.clone().into(),
                payload: Some(payload),
            })),
            ..Default::default()
        };
        session.unsent.push(&sealed(&envelope, Role::Client, cx));
    }
}

/// An envelope as one message.
pub(crate) fn sealed(envelope: &SignalingEnvelope, role: Role, cx: &mut Context<'_>) -> Vec<u8> {
    let mut message = vec![0; HEADER_ROOM];
    message.extend_from_slice(&envelope.encode_to_vec());
    let mask = role.masks().then(|| cx.rng.random::<u32>().to_be_bytes());
    let start = seal(&mut message, mask);
    message.split_off(start)
}
