use std::{
    collections::{BTreeMap, BTreeSet},
    net::Ipv4Addr,
    time::Duration,
};

use actr_lite_net::source::Source;
use actr_lite_registry::{
    answer::{Asker, answer},
    directory::{Departed, Directory, LEASE_HEARTBEATS, Limits, Registration},
    options::HEARTBEAT_INTERVAL,
};
use actr_lite_wire::{
    credential::SigningKey,
    identity::ActrId,
    proto::{
        RegisterRequest, RegisterResponse, SignalingEnvelope, SignalingToActr, TurnCredential,
        actr_to_signaling::Payload as Request, register_response, register_response::RegisterOk,
        route_candidates_response, signaling_envelope::Flow, signaling_to_actr::Payload as Answer, unregister_response,
    },
    websocket::{Decoder, Event, Role},
};
use bytes::{Bytes, BytesMut};
use prost::Message as _;
use rand::{Rng as _, RngExt as _};

use crate::{
    context::{Context, earlier},
    handshake::{AGREED, REFUSED, REGISTER, SIGNALING, Unsent, block, introduced, read_all, take_block},
    link::sealed,
    network::Socket,
    schedule::START_OF_TIME,
};

/// How long a connection may take to say what it wants, and a reply to be read.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a credential is valid: longer than any schedule.
const CREDENTIAL_SECONDS: u64 = 3600;

const MAX_ENVELOPE: usize = 64 << 10;

/// How long a node's lease is.
pub(crate) const LEASE: Duration = Duration::from_secs(HEARTBEAT_INTERVAL.as_secs() * LEASE_HEARTBEATS as u64);

#[derive(Debug)]
enum State {
    /// Says what it wants.
    New {
        deadline: Duration,
    },
    /// Gets its answer, and is closed.
    Replying {
        deadline: Duration,
    },
    Open {
        id: ActrId,
        decoder: Decoder,
        pongs: u64,
    },
}

#[derive(Debug)]
struct Connection {
    socket: Socket,
    buffer: BytesMut,
    unsent: Unsent,
    state: State,
}

/// The registry in one of its lives: its directory and its answers, with the connections around them.
pub(crate) struct Registry {
    directory: Directory,
    key: SigningKey,
    connections: Vec<Connection>,
    planned: Duration,
    not_before: Duration,
    /// Beside the directory: who was granted a lease, and until when.
    leases: BTreeMap<ActrId, Duration>,
}

impl Registry {
    pub(crate) fn new(cx: &mut Context<'_>) -> Self {
        let mut secret = [0; 32];
        cx.rng.fill_bytes(&mut secret);
        let key = SigningKey::new(cx.rng.random(), &secret);
        let mut directory = Directory::new(cx.rng.random::<u64>() >> 1, LEASE, Limits::default());
        directory.set_signing_keys([key.verifying_key()]);
        Self {
            directory,
            key,
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
            state: State::New {
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
                    self.dismiss(id, None, cx);
                }
                let late = self.leases.iter().find(|(_, until)| **until <= cx.now);
                let late = late.map(|(id, _)| id.to_string());
                cx.check(late.is_none(), || format!("{late:?} is kept beyond its lease"));
            }
        }
        let mut replaced = Vec::new();
        for mut connection in std::mem::take(&mut self.connections) {
            if self.poll_connection(&mut connection, &mut replaced, cx) {
                self.connections.push(connection);
            } else {
                cx.network.close(connection.socket, cx.now, cx.rng);
            }
        }
        for (id, by) in replaced {
            self.dismiss(&id, Some(by), cx);
        }
        let next_expiry = self.directory.next_expiry().unwrap_or(Duration::MAX);
        self.planned = next_expiry
            .max(self.not_before)
            .min(cx.now + HEARTBEAT_INTERVAL)
            .max(cx.now);
        let deadlines = self.connections.iter().map(|connection| match connection.state {
            State::New { deadline } | State::Replying { deadline } => Some(deadline),
            State::Open { .. } => None,
        });
        deadlines.fold(Some(self.planned), earlier)
    }

    /// All whose leases are over.
    fn expire(&mut self, now: Duration) -> Vec<Departed> {
        let mut expired = Vec::new();
        loop {
            let step = self.directory.expire(now);
            if step.is_empty() {
                return expired;
            }
            expired.extend(step);
        }
    }

    /// Ends a node's connections, but not the one that took their place.
    fn dismiss(&mut self, id: &ActrId, but: Option<Socket>, cx: &mut Context<'_>) {
        self.connections.retain(|connection| {
            let is_its = matches!(&connection.state, State::Open { id: open, .. } if open == id);
            let is_its = is_its && Some(connection.socket) != but;
            if is_its {
                cx.network.close(connection.socket, cx.now, cx.rng);
            }
            !is_its
        });
    }

    /// False: the connection is over.
    fn poll_connection(
        &mut self,
        connection: &mut Connection,
        replaced: &mut Vec<(ActrId, Socket)>,
        cx: &mut Context<'_>,
    ) -> bool {
        let is_open = read_all(connection.socket, &mut connection.buffer, cx);
        if let State::New { .. } = connection.state
            && let Some((kind, body)) = take_block(&mut connection.buffer)
        {
            self.begin(connection, kind, &body, cx);
            if let State::Open { id, .. } = &connection.state {
                replaced.push((id.clone(), connection.socket));
            }
        }
        if let State::Open { .. } = connection.state
            && !self.converse(connection, cx)
        {
            return false;
        }
        if connection.unsent.flush(connection.socket, cx).is_err() || !is_open {
            return false;
        }
        match connection.state {
            State::New { deadline } => cx.now < deadline,
            State::Replying { deadline } => cx.now < deadline && !connection.unsent.is_empty(),
            State::Open { .. } => true,
        }
    }

    fn begin(&mut self, connection: &mut Connection, kind: u8, body: &Bytes, cx: &mut Context<'_>) {
        let deadline = cx.now + HANDSHAKE_TIMEOUT;
        connection.state = State::Replying { deadline };
        match kind {
            REGISTER => {
                let reply = self.register(body.clone(), cx);
                connection.unsent.push(&block(AGREED, &reply));
            }
            SIGNALING => match self.admit(body, cx) {
                Some(id) => {
                    connection.unsent.push(&block(AGREED, &[]));
                    connection.state = State::Open {
                        id,
                        decoder: Decoder::new(Role::Server, MAX_ENVELOPE),
                        pongs: 0,
                    };
                }
                None => connection.unsent.push(&block(REFUSED, &[])),
            },
            kind => cx.fail(format!("the registry was asked for {kind}")),
        }
    }

    fn register(&mut self, body: Bytes, cx: &mut Context<'_>) -> Vec<u8> {
        let registration = RegisterRequest::decode(body).ok();
        let registration = registration.and_then(|request| Registration::try_from(request).ok());
        let Some(registration) = registration else {
            cx.fail("a registration can't be read");
            return Vec::new();
        };
        let expires_at = START_OF_TIME + cx.now.as_secs() + CREDENTIAL_SECONDS;
        let mut key = [0; 32];
        cx.rng.fill_bytes(&mut key);
        let from = Source::of(Ipv4Addr::LOCALHOST.into());
        let id = match self.directory.register(registration, from, key, cx.now, START_OF_TIME) {
            Ok((id, _)) => id,
            Err(error) => {
                cx.fail(error.to_string());
                return Vec::new();
            }
        };
        let is_new = self.leases.insert(id.clone(), cx.now + LEASE).is_none();
        cx.check(is_new, || format!("{id} was given twice"));
        let key = self.key.verifying_key();
        let granted = RegisterOk {
            actr_id: (&id).into(),
            credential: self.key.issue(&id, expires_at, None).into(),
            turn_credential: TurnCredential::default(),
            signaling_heartbeat_interval_secs: HEARTBEAT_INTERVAL.as_secs() as u32,
            signing_pubkey: Bytes::copy_from_slice(&key.to_bytes()),
            signing_key_id: key.key_id(),
            ..Default::default()
        };
        let result = Some(register_response::Result::Success(granted));
        RegisterResponse { result }.encode_to_vec()
    }

    fn admit(&mut self, body: &[u8], cx: &mut Context<'_>) -> Option<ActrId> {
        let (id, credential, _) = introduced(body).ok()?;
        let key = self.directory.signing_key(credential.key_id())?.clone();
        if let Err(error) = key.verify(&credential, &id, START_OF_TIME + cx.now.as_secs()) {
            cx.fail(error.to_string());
            return None;
        }
        let knows = self.directory.sign_of_life(&id, cx.now).is_ok();
        self.check_known(&id, knows, cx);
        knows.then_some(id)
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
            state: State::Open { id, decoder, pongs },
            buffer,
            unsent,
            socket,
        } = connection
        else {
            return true;
        };
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
            let Ok(envelope) = SignalingEnvelope::decode(bytes) else {
                cx.fail(format!("{id} sent what is not an envelope"));
                return false;
            };
            let Some(Flow::ActrToServer(message)) = envelope.flow else {
                continue;
            };
            let Some(request) = message.payload else { continue };
            let asker = Asker {
                is_this_machine: true,
                id,
                pongs: *pongs,
                heartbeat_interval_secs: HEARTBEAT_INTERVAL.as_secs() as u32,
            };
            let payload = answer(&mut self.directory, &asker, &request, cx.now);
            *pongs += u64::from(matches!(payload, Answer::Pong(_)));
            let (id, has_left) = (id.clone(), left(&payload));
            self.check_answer(&id, &request, &payload, cx);
            let reply = SignalingEnvelope {
                envelope_version: 1,
                reply_for: Some(envelope.envelope_id),
                flow: Some(Flow::ServerToActr(SignalingToActr {
                    target: (&id).into(),
                    payload: Some(payload),
                })),
                ..Default::default()
            };
            unsent.push(&sealed(&reply, Role::Server, cx));
            if has_left {
                let _ = unsent.flush(*socket, cx);
                return false;
            }
        }
    }

    fn check_answer(&mut self, id: &ActrId, request: &Request, answer: &Answer, cx: &mut Context<'_>) {
        match (request, answer) {
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
                let live = |(id, until): &(&ActrId, &Duration)| **until > cx.now && id.actr_type().name() == "Server";
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
        self.directory.knows(id) && self.leases.get(id).is_some_and(|until| *until > now)
    }

    /// How many nodes there are.
    pub(crate) fn len(&self) -> usize {
        self.directory.len()
    }
}

fn left(answer: &Answer) -> bool {
    match answer {
        Answer::Unregister(response) => matches!(response.result, Some(unregister_response::Result::Success(_))),
        _ => false,
    }
}
