use std::{pin::pin, sync::Arc, time::Duration};

use actr_lite_clock::Clock;
use actr_lite_net::message_socket::{Incoming, MessageSocket, SocketError};
use actr_lite_wire::{
    peer_text::PeerText,
    proto::{
        ActrToSignaling, ErrorResponse, SignalingEnvelope, actr_to_signaling::Payload as RequestPayload,
        signaling_envelope::Flow, signaling_to_actr::Payload,
    },
};
use bytes::Bytes;
use prost::Message as _;
use prost_types::Timestamp;
use tokio::{
    sync::watch,
    time::{Instant, MissedTickBehavior, error::Elapsed, interval, sleep_until, timeout},
};
use tracing::{debug, info};

use crate::{
    dial::Dial,
    error::RegistryLinkError,
    identity::{Identity, Registration},
    renewal::renewed,
    request::Request,
    shared::Shared,
    signaling::failure,
    state::LinkState,
};

/// After so much silence the registry counts as dead: official clients (actr 0.4.21) take the same time.
const DEAD_AFTER: Duration = Duration::from_secs(10);

/// How often the registry is asked for a sign of life at least, whatever heartbeats it wants: official clients do the same.
const PROBE_INTERVAL: Duration = Duration::from_secs(5);

/// How long the registry may take to accept a message: as long as it may be silent.
const SEND_TIMEOUT: Duration = DEAD_AFTER;

/// How long the close handshake may hold up a node that ends.
const CLOSE_TIMEOUT: Duration = Duration::from_millis(500);

/// The envelope version that is written; the next one, without timestamps, is read too.
const ENVELOPE_VERSION: u32 = 1;

/// What heartbeats have before their number, and requests have not.
const HEARTBEAT: char = 'h';

/// Why a session ended.
pub(crate) enum SessionEnd {
    /// The connection was lost.
    Lost(RegistryLinkError),
    /// The registry does not know the node any more.
    IdentityRefused(RegistryLinkError),
    /// The node has another identity now, because the credential could not be renewed.
    Replaced(Box<Registration>),
}

/// What the link's handles see.
pub(crate) struct Published {
    pub(crate) identity: watch::Sender<Option<Identity>>,
    pub(crate) state: watch::Sender<LinkState>,
}

/// One signaling connection.
pub(crate) struct Session<D: Dial> {
    socket: MessageSocket<D::Stream>,
    shared: Arc<Shared>,
    dial: Arc<D>,
    published: Published,
    registration: Registration,
    heard: Instant,
    is_confirmed: bool,
    heartbeats: u64,
    next_heartbeat: Instant,
}

impl<D: Dial> Session<D> {
    pub(crate) fn new(
        socket: MessageSocket<D::Stream>,
        shared: Arc<Shared>,
        dial: Arc<D>,
        published: Published,
        registration: Registration,
    ) -> Self {
        let now = Instant::now();
        Self {
            socket,
            shared,
            dial,
            published,
            registration,
            heard: now,
            is_confirmed: false,
            heartbeats: 0,
            next_heartbeat: now,
        }
    }

    /// The registration, with its newest credential.
    pub(crate) fn registration(&self) -> &Registration {
        &self.registration
    }

    /// Whether the registry has answered at all.
    pub(crate) fn is_confirmed(&self) -> bool {
        self.is_confirmed
    }

    /// Runs the connection to its end. After it is dropped [`Self::close`] still works.
    pub(crate) async fn run(&mut self) -> SessionEnd {
        let (shared, dial) = (self.shared.clone(), self.dial.clone());
        shared.requests.start_over();
        if let Err(end) = self.send_requests().await {
            return end;
        }
        let mut probes = interval(PROBE_INTERVAL.min(self.registration.heartbeat_interval));
        probes.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut renewal = pin!(renewed(&shared.config, &*dial, self.registration.clone()));
        loop {
            let step = tokio::select! {
                incoming = self.socket.next() => self.receive(incoming).await,
                () = shared.requests.added() => self.send_requests().await,
                _ = probes.tick() => self.probe().await,
                () = sleep_until(self.heard + DEAD_AFTER) => Err(self.silent()),
                registration = renewal.as_mut() => {
                    let step = self.replace(registration).await;
                    renewal.set(renewed(&shared.config, &*dial, self.registration.clone()));
                    step
                }
            };
            if let Err(end) = step {
                return end;
            }
        }
    }

    /// Says good-bye.
    pub(crate) async fn close(mut self) {
        // Whoever does not take part in the handshake just loses the socket.
        let _ = timeout(CLOSE_TIMEOUT, self.socket.close(None)).await;
    }

    fn silent(&self) -> SessionEnd {
        let cause = format!("nothing heard for {} s", DEAD_AFTER.as_secs());
        SessionEnd::Lost(RegistryLinkError::unreachable(&self.shared.config.url, cause))
    }

    async fn receive(&mut self, incoming: Result<Incoming, SocketError>) -> Result<(), SessionEnd> {
        let incoming = incoming.map_err(|error| SessionEnd::Lost(failure(&self.shared.config, &error)))?;
        self.heard = Instant::now();
        match incoming {
            Incoming::Message(bytes) => self.receive_envelope(bytes).await,
            Incoming::Text | Incoming::SignOfLife => Ok(()),
        }
    }

    async fn receive_envelope(&mut self, bytes: Bytes) -> Result<(), SessionEnd> {
        let envelope = match SignalingEnvelope::decode(bytes) {
            Ok(envelope) => envelope,
            Err(error) => {
                debug!(%error, "the registry sent what is not an envelope");
                return Ok(());
            }
        };
        if !(ENVELOPE_VERSION..=ENVELOPE_VERSION + 1).contains(&envelope.envelope_version) {
            debug!(version = envelope.envelope_version, "envelope of an unknown version");
            return Ok(());
        }
        let answer = match envelope.flow {
            Some(Flow::EnvelopeError(error)) => Err(error),
            Some(Flow::ServerToActr(message)) => match message.payload {
                Some(Payload::Error(error)) => Err(error),
                Some(payload) => Ok(payload),
                None => return Ok(()),
            },
            _ => {
                debug!("the registry sent an envelope that is not for a node's requests");
                return Ok(());
            }
        };
        // Not of what it only relays: that time is another node's word.
        if let Some(unix_time) = envelope.timestamp.and_then(unix_time) {
            self.shared.calendar.heard(unix_time, self.heard);
        }
        let number = envelope.reply_for.as_deref().and_then(|id| self.shared.own_number(id));
        match (number, answer) {
            (Some(number), answer) if number.starts_with(HEARTBEAT) => self.heartbeat_answered(answer),
            (Some(number), answer) => {
                if answer.is_ok() {
                    self.confirm();
                }
                // A refusal may be because the registry forgot the node, which the answer to a heartbeat tells.
                let probe = answer.is_err();
                let number = number.parse().unwrap_or_default();
                if !self.shared.requests.answer(number, answer) {
                    debug!(number, "an answer that nobody waits for");
                }
                if probe { self.heartbeat().await } else { Ok(()) }
            }
            (None, Err(ErrorResponse { code, message })) => {
                debug!(code, message = %PeerText::new(&message), "the registry reports an error");
                Ok(())
            }
            (None, Ok(_)) => {
                debug!("the registry answered what was not asked");
                Ok(())
            }
        }
    }

    /// The registry knows the node: others find it from now on.
    fn confirm(&mut self) {
        if !std::mem::replace(&mut self.is_confirmed, true) {
            self.published.state.send_replace(LinkState::Connected);
        }
    }

    fn heartbeat_answered(&mut self, answer: Result<Payload, ErrorResponse>) -> Result<(), SessionEnd> {
        let Err(error) = answer else {
            self.confirm();
            return Ok(());
        };
        let error = RegistryLinkError::refused("heartbeat", error);
        if error.is_identity_refused() {
            return Err(SessionEnd::IdentityRefused(error));
        }
        debug!(%error, "heartbeat refused");
        Ok(())
    }

    /// Takes over what a renewal brought: a new credential, or another identity, with which this connection can't go on.
    async fn replace(&mut self, registration: Registration) -> Result<(), SessionEnd> {
        if registration.identity.actor_id == self.registration.identity.actor_id {
            debug!(id = %registration.identity.actor_id, "credential renewed");
            self.shared
                .keys()
                .insert(registration.identity.signing_key.clone(), Instant::now());
            self.published
                .identity
                .send_replace(Some(registration.identity.clone()));
            self.registration = registration;
            return Ok(());
        }
        let reason = Request::Unregister {
            reason: "registered again".into(),
        };
        let (old, new) = (&self.registration.identity.actor_id, &registration.identity.actor_id);
        info!(id = %new, %old, "registered again");
        let payload = reason.payload(&self.registration.identity.actor_id);
        self.heartbeats += 1;
        let number = format!("{HEARTBEAT}{}", self.heartbeats);
        // If this fails the old identity's lease ends by itself.
        let _ = self.send([(number, payload)]).await;
        Err(SessionEnd::Replaced(Box::new(registration)))
    }

    async fn send_requests(&mut self) -> Result<(), SessionEnd> {
        let id = self.registration.identity.actor_id.clone();
        let unsent = self.shared.requests.take_unsent();
        let envelopes = unsent
            .into_iter()
            .map(|(number, request)| (number.to_string(), request.payload(&id)));
        self.send(envelopes).await
    }

    async fn probe(&mut self) -> Result<(), SessionEnd> {
        if Instant::now() >= self.next_heartbeat {
            return self.heartbeat().await;
        }
        let written = timeout(SEND_TIMEOUT, self.socket.ping()).await;
        self.written(written)
    }

    async fn heartbeat(&mut self) -> Result<(), SessionEnd> {
        self.next_heartbeat = Instant::now() + self.registration.heartbeat_interval;
        self.heartbeats += 1;
        let ping = RequestPayload::Ping(self.shared.config.load.report().into());
        let number = format!("{HEARTBEAT}{}", self.heartbeats);
        self.send([(number, ping)]).await
    }

    async fn send(&mut self, requests: impl IntoIterator<Item = (String, RequestPayload)>) -> Result<(), SessionEnd> {
        let (shared, identity, socket) = (&self.shared, &self.registration.identity, &mut self.socket);
        let written = timeout(SEND_TIMEOUT, async {
            for (number, payload) in requests {
                socket
                    .send(&envelope(shared.own_id(&number), identity, payload))
                    .await?;
            }
            Ok(())
        });
        let written = written.await;
        self.written(written)
    }

    fn written(&self, written: Result<Result<(), SocketError>, Elapsed>) -> Result<(), SessionEnd> {
        match written {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(SessionEnd::Lost(failure(&self.shared.config, &error))),
            Err(_) => Err(self.silent()),
        }
    }
}

fn unix_time(timestamp: Timestamp) -> Option<Duration> {
    let seconds = u64::try_from(timestamp.seconds).ok()?;
    Some(Duration::new(seconds, u32::try_from(timestamp.nanos).ok()?))
}

fn envelope(id: String, identity: &Identity, payload: RequestPayload) -> SignalingEnvelope {
    SignalingEnvelope {
        envelope_version: ENVELOPE_VERSION,
        envelope_id: id,
        reply_for: None,
        timestamp: Some(Clock::start().timestamp()),
        traceparent: None,
        tracestate: None,
        flow: Some(Flow::ActrToServer(ActrToSignaling {
            source: (&identity.actor_id).into(),
            credential: identity.credential.clone().into(),
            payload: Some(payload),
        })),
    }
}
