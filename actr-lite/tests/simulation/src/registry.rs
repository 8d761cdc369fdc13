use std::{
    collections::{BTreeMap, BTreeSet},
    net::Ipv4Addr,
    time::Duration,
};

use actr_lite_net::source::Source;
use actr_lite_registry::{
    conversation::{Conversation, MAX_ENVELOPE_BYTES, Reply, Setting},
    directory::{
        Departed, Directory, DirectoryError, Grant, LEASE_HEARTBEATS, Limits, Purpose, Registration, ShownToken,
    },
    ledger::Holder,
    options::{HEARTBEAT_INTERVAL, MAX_IN_FLIGHT_BYTES},
    sessions::{Dismissal, Notice, Told},
    state::State,
};
use actr_lite_wire::{
    credential::{CredentialError, SigningKey},
    identity::ActrId,
    proto::{
        ErrorResponse, RegisterRequest, RegisterResponse, ReissueCredentialRequest, RenewCredentialRequest,
        SignalingEnvelope, TurnCredential, actr_to_signaling::Payload as Request, register_response,
        register_response::RegisterOk, route_candidates_response, signaling_envelope::Flow,
        signaling_to_actr::Payload as Answer, unregister_response,
    },
    websocket::{Decoder, Event, Role},
};
use bytes::{Bytes, BytesMut};
use prost::Message as _;
use prost_types::Timestamp;
use rand::{Rng as _, RngExt as _};

use crate::{
    context::{Context, earlier},
    handshake::{
        AGREED, REFUSED, REGISTER, REISSUE, RENEW, SIGNALING, Unsent, block, introduced, read_all, take_block,
    },
    link::sealed,
    network::Socket,
    schedule::{RegistryManner, START_OF_TIME},
};

/// How long a connection may take to say what it wants, and a reply to be read.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a node's lease is.
pub(crate) const LEASE: Duration = Duration::from_secs(HEARTBEAT_INTERVAL.as_secs() * LEASE_HEARTBEATS as u64);

#[derive(Debug)]
enum Phase {
    /// Says what it wants.
    New { deadline: Duration },
    /// Gets its answer, and is closed.
    Replying { deadline: Duration },
    Open {
        conversation: Box<Conversation>,
        decoder: Decoder,
    },
}

#[derive(Debug)]
struct Connection {
    socket: Socket,
    buffer: BytesMut,
    unsent: Unsent,
    phase: Phase,
}

/// The registry in one of its lives: its state and its conversations, with sockets and a clock around them.
pub(crate) struct Registry {
    state: State<Socket>,
    /// Random for each life.
    life: u64,
    /// Connections that the registry has decided to end.
    dismissed: Vec<Socket>,
    key: SigningKey,
    manner: RegistryManner,
    /// Whose last renewal was not answered.
    unanswered: BTreeSet<ActrId>,
    connections: Vec<Connection>,
    planned: Duration,
    not_before: Duration,
    /// Beside the directory: who was granted a lease, and until when.
    leases: BTreeMap<ActrId, Duration>,
}

impl Registry {
    pub(crate) fn new(manner: RegistryManner, cx: &mut Context<'_>) -> Self {
        let mut secret = [0; 32];
        cx.rng.fill_bytes(&mut secret);
        let key = SigningKey::new(cx.rng.random(), &secret);
        let mut directory = Directory::new(cx.rng.random::<u64>() >> 1, LEASE, Limits::default());
        directory.set_signing_keys([key.verifying_key()]);
        Self {
            state: State::new(directory, MAX_IN_FLIGHT_BYTES),
            life: cx.rng.random(),
            dismissed: Vec::new(),
            key,
            manner,
            unanswered: BTreeSet::new(),
            connections: Vec::new(),
            planned: cx.now + HEARTBEAT_INTERVAL,
            not_before: Duration::ZERO,
            leases: BTreeMap::new(),
        }
    }

    pub(crate) fn accept(&mut self, socket: Socket, cx: &mut Context<'_>) {
        self.connections.push(Connection {
            socket,
            buffer: BytesMut::new(),
            unsent: Unsent::default(),
            phase: Phase::New {
                deadline: cx.now + HANDSHAKE_TIMEOUT,
            },
        });
    }

    pub(crate) fn stop(&mut self, cx: &mut Context<'_>) {
        for connection in self.connections.drain(..) {
            cx.network.close(connection.socket, cx.now, cx.rng);
        }
    }

    /// Does what can be done. When to be called again.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Option<Duration> {
        // As the registry does: after being suspended it reads pending heartbeats before it forgets any node.
        if cx.now >= self.planned {
            if cx.now - self.planned > HEARTBEAT_INTERVAL {
                self.not_before = cx.now + HEARTBEAT_INTERVAL;
            }
            if cx.now >= self.not_before {
                for node in self.expire(cx.now) {
                    let id = node.id();
                    cx.record("forgets serial number {}", [id.serial_number(), 0]);
                    let lease = self.leases.remove(id);
                    cx.check(lease.is_some_and(|until| until <= cx.now), || {
                        format!("{id} was forgotten before its lease was over")
                    });
                    let notice = self.state.sessions.dismiss(id, Dismissal::LeaseExpired);
                    self.note(notice);
                }
                let late = self.leases.iter().find(|(_, until)| **until <= cx.now);
                let late = late.map(|(id, _)| id.to_string());
                cx.check(late.is_none(), || format!("{late:?} is kept beyond its lease"));
            }
        }
        self.end_dismissed(cx);
        for mut connection in std::mem::take(&mut self.connections) {
            if self.poll_connection(&mut connection, cx) {
                self.connections.push(connection);
            } else {
                self.end(&connection, cx);
            }
        }
        self.end_dismissed(cx);
        let next_expiry = self.state.directory.next_expiry().unwrap_or(Duration::MAX);
        self.planned = next_expiry
            .max(self.not_before)
            .min(cx.now + HEARTBEAT_INTERVAL)
            .max(cx.now);
        let deadlines = self.connections.iter().map(|connection| match connection.phase {
            Phase::New { deadline } | Phase::Replying { deadline } => Some(deadline),
            Phase::Open { .. } => None,
        });
        deadlines.fold(Some(self.planned), earlier)
    }

    /// All whose leases are over.
    fn expire(&mut self, now: Duration) -> Vec<Departed> {
        let mut expired = Vec::new();
        loop {
            let step = self.state.directory.expire(now);
            if step.is_empty() {
                return expired;
            }
            expired.extend(step);
        }
    }

    fn note(&mut self, notice: Option<Notice<Socket>>) {
        self.dismissed.extend(notice.map(|notice| notice.to));
    }

    /// Ends the connections that are dismissed.
    fn end_dismissed(&mut self, cx: &mut Context<'_>) {
        let dismissed = std::mem::take(&mut self.dismissed);
        for connection in std::mem::take(&mut self.connections) {
            match dismissed.contains(&connection.socket) {
                true => self.end(&connection, cx),
                false => self.connections.push(connection),
            }
        }
    }

    fn end(&mut self, connection: &Connection, cx: &mut Context<'_>) {
        if let Phase::Open { conversation, .. } = &connection.phase {
            conversation.close(&mut self.state);
        }
        cx.network.close(connection.socket, cx.now, cx.rng);
    }

    /// False: the connection is over.
    fn poll_connection(&mut self, connection: &mut Connection, cx: &mut Context<'_>) -> bool {
        let is_open = read_all(connection.socket, &mut connection.buffer, cx);
        if let Phase::New { .. } = connection.phase
            && let Some((kind, body)) = take_block(&mut connection.buffer)
        {
            self.begin(connection, kind, &body, cx);
        }
        if let Phase::Open { .. } = connection.phase
            && !self.converse(connection, cx)
        {
            return false;
        }
        if connection.unsent.flush(connection.socket, cx).is_err() || !is_open {
            return false;
        }
        match connection.phase {
            Phase::New { deadline } => cx.now < deadline,
            Phase::Replying { deadline } => cx.now < deadline && !connection.unsent.is_empty(),
            Phase::Open { .. } => true,
        }
    }

    fn begin(&mut self, connection: &mut Connection, kind: u8, body: &Bytes, cx: &mut Context<'_>) {
        let deadline = cx.now + HANDSHAKE_TIMEOUT;
        connection.phase = Phase::Replying { deadline };
        match kind {
            REGISTER => {
                let response = self.register(body.clone(), cx);
                connection.unsent.push(&granted(&response, cx.now));
            }
            // Without an answer the connection is closed.
            RENEW | REISSUE => {
                if let Some(response) = self.renew(kind, body.clone(), cx) {
                    connection.unsent.push(&granted(&response, cx.now));
                }
            }
            SIGNALING => match self.admit(body, connection.socket, cx) {
                Some(conversation) => {
                    connection.unsent.push(&block(AGREED, &[]));
                    connection.phase = Phase::Open {
                        conversation: conversation.into(),
                        decoder: Decoder::new(Role::Server, MAX_ENVELOPE_BYTES),
                    };
                }
                None => connection.unsent.push(&block(REFUSED, &[])),
            },
            kind => cx.fail(format!("the registry was asked for {kind}")),
        }
    }

    fn register(&mut self, body: Bytes, cx: &mut Context<'_>) -> RegisterResponse {
        let registration = RegisterRequest::decode(body).ok();
        let registration = registration.and_then(|request| Registration::try_from(request).ok());
        let Some(registration) = registration else {
            cx.fail("a registration can't be read");
            return RegisterResponse::default();
        };
        let mut key = [0; 32];
        cx.rng.fill_bytes(&mut key);
        let (from, unix_now) = (source(), unix_seconds(cx.now));
        let registered = self.state.directory.register(registration, from, key, cx.now, unix_now);
        let (id, grant) = match registered {
            Ok(granted) => granted,
            Err(error) => {
                cx.fail(error.to_string());
                return RegisterResponse::default();
            }
        };
        let is_new = self.leases.insert(id.clone(), cx.now + LEASE).is_none();
        cx.check(is_new, || format!("{id} was given twice"));
        self.grant(&id, &grant)
    }

    /// A credential for another one's token; none if the answer is lost.
    fn renew(&mut self, kind: u8, body: Bytes, cx: &mut Context<'_>) -> Option<RegisterResponse> {
        let (id, token, purpose) = match kind {
            RENEW => {
                let request = RenewCredentialRequest::decode(body).unwrap_or_default();
                (request.actr_id, request.renewal_token, Purpose::Renewal)
            }
            _ => {
                let request = ReissueCredentialRequest::decode(body).unwrap_or_default();
                let token = request.renewal_proof.unwrap_or_default();
                (request.actr_id, token, Purpose::Reissue)
            }
        };
        let Ok(id) = ActrId::try_from(&id) else {
            cx.fail("a renewal can't be read");
            return None;
        };
        let shown = shown(&token, purpose);
        let (renewed, notice) = self.state.renew(&id, shown, cx.now, unix_seconds(cx.now));
        let is_lost = self.manner.loses_renewals && !self.unanswered.remove(&id) && cx.rng.random_bool(0.5);
        self.note(notice);
        match renewed {
            Ok(_) if is_lost => {
                cx.record(
                    "does not answer the renewal of serial number {}",
                    [id.serial_number(), 0],
                );
                self.unanswered.insert(id.clone());
                self.check_known(&id, true, cx);
                None
            }
            Ok(grant) => {
                self.check_known(&id, true, cx);
                Some(self.grant(&id, &grant))
            }
            Err(error) => {
                cx.record("refuses a renewal of serial number {}", [id.serial_number(), 0]);
                if let DirectoryError::RenewalReused(_) = error {
                    self.leases.remove(&id);
                }
                let refusal = ErrorResponse {
                    code: error.code().number(),
                    message: error.to_string(),
                };
                let result = Some(register_response::Result::Error(refusal));
                Some(RegisterResponse { result })
            }
        }
    }

    fn grant(&self, id: &ActrId, grant: &Grant) -> RegisterResponse {
        let expires_at = grant.granted_at + self.manner.credential_seconds;
        let key = self.key.verifying_key();
        let granted = RegisterOk {
            actr_id: id.into(),
            credential: self.key.issue(id, expires_at, None).into(),
            turn_credential: TurnCredential::default(),
            signaling_heartbeat_interval_secs: HEARTBEAT_INTERVAL.as_secs() as u32,
            signing_pubkey: Bytes::copy_from_slice(&key.to_bytes()),
            signing_key_id: key.key_id(),
            renewal_token: Some(Bytes::copy_from_slice(&grant.token.secret)),
            ..Default::default()
        };
        let result = Some(register_response::Result::Success(granted));
        RegisterResponse { result }
    }

    fn admit(&mut self, body: &[u8], socket: Socket, cx: &mut Context<'_>) -> Option<Conversation> {
        let (id, credential) = introduced(body).ok()?;
        let key = self.state.directory.signing_key(credential.key_id())?.clone();
        match key.verify(&credential, &id, unix_seconds(cx.now)) {
            Ok(_) => {}
            Err(CredentialError::Expired { .. }) => {
                cx.record(
                    "is shown an ended credential by serial number {}",
                    [id.serial_number(), 0],
                );
                return None;
            }
            Err(error) => {
                cx.fail(error.to_string());
                return None;
            }
        }
        let setting = Setting {
            holder: Holder {
                source: source(),
                realm_id: Some(id.realm_id()),
            },
            is_this_machine: true,
            life: self.life,
            heartbeat_interval_secs: HEARTBEAT_INTERVAL.as_secs() as u32,
        };
        let opened = Conversation::open(&mut self.state, &id, socket, setting, cx.now);
        self.check_known(&id, opened.is_some(), cx);
        let (conversation, replaced) = opened?;
        self.note(replaced);
        Some(conversation)
    }

    /// Holds the directory against the leases, and notes a sign of life.
    fn check_known(&mut self, id: &ActrId, knows: bool, cx: &mut Context<'_>) {
        let until = self.leases.get_mut(id);
        cx.check(until.is_some() == knows, || {
            format!("{id}: known {knows}, which it should not be")
        });
        if let (Some(until), true) = (until, knows) {
            *until = cx.now + LEASE;
        }
    }

    /// Answers what was asked. False: the connection is over.
    fn converse(&mut self, connection: &mut Connection, cx: &mut Context<'_>) -> bool {
        let Connection {
            phase: Phase::Open { conversation, decoder },
            buffer,
            unsent,
            socket,
        } = connection
        else {
            return true;
        };
        let id = conversation.id().clone();
        loop {
            let bytes = match decoder.decode(buffer) {
                Ok(Some(Event::Binary(bytes))) => bytes,
                Ok(Some(_)) => return false,
                Ok(None) => return true,
                Err(error) => {
                    cx.fail(format!("{id} broke the protocol: {error}"));
                    return false;
                }
            };
            let asked = SignalingEnvelope::decode(bytes.clone()).unwrap_or_default();
            let Ok(envelope) = conversation.take(bytes) else {
                cx.fail(format!("{id} sent what is not an envelope"));
                return false;
            };
            let mut told = Told::default();
            while !conversation.step(&mut self.state, cx.now, &mut told) {}
            cx.check(told.woken.is_empty(), || format!("{id} relays something"));
            self.dismissed.extend(told.dismissed.map(|notice| notice.to));
            let at = Timestamp {
                seconds: unix_seconds(cx.now) as i64,
                nanos: 0,
            };
            let Reply { envelope, ending } = conversation.reply(envelope, at);
            if let Some(envelope) = envelope {
                self.check_answer(&id, asked, &envelope, cx);
                unsent.push(&sealed(&envelope, Role::Server, cx));
                conversation.written();
            }
            if ending.is_some() {
                let _ = unsent.flush(*socket, cx);
                return false;
            }
        }
    }

    fn check_answer(&mut self, id: &ActrId, asked: SignalingEnvelope, reply: &SignalingEnvelope, cx: &mut Context<'_>) {
        let (Some(Flow::ActrToServer(request)), Some(Flow::ServerToActr(answer))) = (asked.flow, &reply.flow) else {
            cx.fail(format!("{id} is told {reply:?}"));
            return;
        };
        let (Some(request), Some(answer)) = (request.payload, &answer.payload) else {
            return;
        };
        match (&request, answer) {
            (Request::Ping(_), answer) => self.check_known(id, matches!(answer, Answer::Pong(_)), cx),
            (Request::Unregister(_), answer) => {
                let was_known = self.leases.remove(id).is_some();
                cx.check(was_known == left(answer), || {
                    format!("{id} left without having been there")
                });
                cx.record("lets serial number {} go", [id.serial_number(), 0]);
            }
            (Request::RouteCandidates(request), Answer::RouteCandidates(response)) => {
                let Some(route_candidates_response::Result::Success(found)) = &response.result else {
                    cx.fail("candidates were refused");
                    return;
                };
                let ids: Vec<ActrId> = found.candidates.iter().filter_map(|id| id.try_into().ok()).collect();
                let unique: BTreeSet<&ActrId> = ids.iter().collect();
                cx.check(unique.len() == ids.len(), || {
                    format!("a candidate is listed twice: {ids:?}")
                });
                for id in &ids {
                    let until = self.leases.get(id).copied();
                    cx.check(until.is_some_and(|until| until > cx.now), || {
                        format!("{id} is listed though its lease is over")
                    });
                }
                // Who asks is not named.
                // Either one is asked for by its id, or all of its type are.
                let wanted_id = request.candidate_id.as_ref().and_then(|id| ActrId::try_from(id).ok());
                let live = |(server, until): &(&ActrId, &Duration)| {
                    let is_asked_for = match &wanted_id {
                        Some(wanted) => wanted == *server,
                        None => server.actr_type().name() == "Server",
                    };
                    **until > cx.now && is_asked_for && *server != id
                };
                let wanted = request.criteria.as_ref().map_or(0, |criteria| criteria.candidate_count);
                let live = self.leases.iter().filter(live).count().min(wanted as usize);
                cx.check(live == ids.len(), || {
                    format!("{live} servers are live, but {ids:?} are listed")
                });
            }
            _ => {}
        }
    }

    /// Whether this node is listed, and may be dialled.
    pub(crate) fn lists(&self, id: &ActrId, now: Duration) -> bool {
        self.state.directory.knows(id) && self.leases.get(id).is_some_and(|until| *until > now)
    }

    /// How many nodes there are.
    pub(crate) fn len(&self) -> usize {
        self.state.directory.len()
    }
}

fn left(answer: &Answer) -> bool {
    match answer {
        Answer::Unregister(response) => matches!(response.result, Some(unregister_response::Result::Success(_))),
        _ => false,
    }
}

/// What AIS answers: when, and what.
fn granted(response: &RegisterResponse, now: Duration) -> Vec<u8> {
    let mut body = unix_seconds(now).to_be_bytes().to_vec();
    body.extend(response.encode_to_vec());
    block(AGREED, &body)
}

/// What the registry's calendar shows.
fn unix_seconds(now: Duration) -> u64 {
    START_OF_TIME + now.as_secs()
}

/// A token of a node without a key.
fn shown(secret: &[u8], purpose: Purpose) -> ShownToken<'_> {
    ShownToken {
        secret,
        purpose,
        from: source(),
        by_holder: false,
    }
}

/// All nodes are on the account of one address.
fn source() -> Source {
    Source::of(Ipv4Addr::LOCALHOST.into())
}
