use std::{sync::Arc, time::Duration};

use actr_lite_wire::{
    error_code::ErrorCode,
    identity::ActrId,
    misbehaviour::MisbehaviourKind,
    peer_text::PeerText,
    proto::{
        self, ActrToSignaling, ErrorResponse, SignalingEnvelope, SignalingToActr,
        actr_to_signaling::Payload as Request, signaling_envelope::Flow, signaling_to_actr::Payload as Answer,
        unregister_response,
    },
    websocket::{CloseCode, CloseFrame, ProtocolError, Role},
};
use bytes::BytesMut;
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use prost::Message as _;
use tokio::{sync::oneshot, time::timeout};
use tracing::{debug, info};

use crate::{
    answer::{self, Asker},
    message_socket::{Incoming, MessageSocket, SocketError},
    permits::SignalingPermit,
    relay::{self, RelayReceiver, Relayed},
    shared::{Dismissal, Shared},
    source::Source,
};

/// The most bytes of a message from a node: its largest, a session description for WebRTC, has some 10 KiB.
const MAX_ENVELOPE_BYTES: usize = 64 * 1024;

/// How long the HTTP half may take to hand over the socket: it only writes the 101.
const UPGRADE_TIMEOUT: Duration = Duration::from_secs(5);

/// How long a node may take to accept an answer: official nodes give up waiting for it after 5 s.
const SEND_TIMEOUT: Duration = Duration::from_secs(5);

/// How long a node may take to close after the registry did (RFC 6455 §7.1.1 lets a server close at once).
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

/// The envelope version that is written; the next one, without timestamps, is read too.
const ENVELOPE_VERSION: u32 = 1;

/// What a peer is told that does not take its answers.
const UNREAD: &str = "answers are not read";

type Socket = MessageSocket<TokioIo<Upgraded>>;

/// Why a connection ends.
#[derive(Debug)]
enum Ending {
    Lost,
    Unregistered,
    Dismissed(Dismissal),
    Misbehaved(MisbehaviourKind, CloseCode, String),
    Stalled,
    Stop,
}

/// Runs one signaling connection of `id` to its end. The connection's loss does not unregister the node: its lease
/// decides.
pub(crate) async fn run(shared: Arc<Shared>, permit: SignalingPermit, id: ActrId, upgrade: OnUpgrade) {
    let upgraded = tokio::select! {
        upgraded = timeout(UPGRADE_TIMEOUT, upgrade) => upgraded,
        () = shared.stop.cancelled() => return,
    };
    let Ok(Ok(upgraded)) = upgraded else {
        debug!(%id, "signaling connection lost before it was open");
        return;
    };
    let stream = TokioIo::new(upgraded);
    let mut socket = MessageSocket::new(stream, Role::Server, MAX_ENVELOPE_BYTES, BytesMut::new());

    let Some((guard, dismissed, relayed)) = open(&shared, &id) else {
        debug!(%id, "the node is gone since the gate let it in");
        close(&mut socket, Ending::Dismissed(Dismissal::LeaseExpired)).await;
        return;
    };
    debug!(%id, "signaling connection open");
    let mut conversation = Conversation {
        shared: &shared,
        id: &id,
        from: permit.source(),
        number: guard.number,
        sent: 0,
        pongs: 0,
    };
    let ending = tokio::select! {
        ending = conversation.run(&mut socket, relayed) => ending,
        // An error means that the table dropped the sender without a word, which it never does.
        Ok(why) = dismissed => Ending::Dismissed(why),
        () = shared.stop.cancelled() => Ending::Stop,
    };
    drop(guard);
    debug!(%id, ?ending, "signaling connection ends");
    match &ending {
        Ending::Misbehaved(kind, _, reason) => shared.complaints.about(*kind, &id, reason),
        Ending::Stalled => shared.complaints.about(MisbehaviourKind::UnreadAnswers, &id, &UNREAD),
        _ => {}
    }
    close(&mut socket, ending).await;
    drop(permit);
}

/// Enters the connection in the table, unless the node's lease, on which its end depends, is over.
fn open<'a>(
    shared: &'a Shared,
    id: &'a ActrId,
) -> Option<(OpenGuard<'a>, oneshot::Receiver<Dismissal>, RelayReceiver)> {
    let now = shared.clock.now();
    let (sender, relayed) = relay::queue();
    let mut state = shared.state();
    state.directory.sign_of_life(id, now).ok()?;
    let (number, dismissed) = state.sessions.open(id, sender);
    Some((OpenGuard { shared, id, number }, dismissed, relayed))
}

/// Takes the connection out of the table, however its task ends.
struct OpenGuard<'a> {
    shared: &'a Shared,
    id: &'a ActrId,
    number: u64,
}

impl Drop for OpenGuard<'_> {
    fn drop(&mut self) {
        let mut state = self.shared.state();
        if state.sessions.close(self.id, self.number) {
            state.directory.lost(self.id);
        }
    }
}

async fn close(socket: &mut Socket, ending: Ending) {
    let (code, reason): (_, String) = match ending {
        Ending::Lost => return,
        Ending::Unregistered | Ending::Dismissed(Dismissal::Unregistered) => (CloseCode::NORMAL, "unregistered".into()),
        Ending::Dismissed(Dismissal::Replaced) => {
            (CloseCode::POLICY_VIOLATION, "a newer connection of this actor".into())
        }
        Ending::Dismissed(Dismissal::LeaseExpired) => (
            CloseCode::POLICY_VIOLATION,
            format!("no heartbeat for a whole lease: {}", crate::REGISTER_AGAIN),
        ),
        Ending::Misbehaved(_, code, reason) => (code, reason),
        Ending::Stalled => (CloseCode::POLICY_VIOLATION, UNREAD.into()),
        Ending::Stop => (CloseCode::GOING_AWAY, "the registry stops".into()),
    };
    let frame = CloseFrame::new(code, reason);
    // Whoever does not take part in the handshake just loses the socket.
    let _ = timeout(CLOSE_TIMEOUT, socket.close(Some(&frame))).await;
}

/// What a node says over one connection, and what it is answered.
pub(crate) struct Conversation<'a> {
    pub(crate) shared: &'a Shared,
    pub(crate) id: &'a ActrId,
    pub(crate) from: Source,
    pub(crate) number: u64,
    pub(crate) sent: u64,
    pub(crate) pongs: u64,
}

impl Conversation<'_> {
    async fn run(&mut self, socket: &mut Socket, mut relayed: RelayReceiver) -> Ending {
        loop {
            // Both are cancel safe: what is not taken is there the next time.
            let step = tokio::select! {
                envelope = next_envelope(socket) => match envelope {
                    Ok(envelope) => self.take(socket, envelope).await,
                    Err(ending) => Err(ending),
                },
                Some(relayed) = relayed.next() => self.hand_over(socket, relayed).await,
            };
            if let Err(ending) = step {
                return ending;
            }
        }
    }

    /// Takes what the node sent, and answers it.
    async fn take(&mut self, socket: &mut Socket, envelope: SignalingEnvelope) -> Result<(), Ending> {
        let is_forged = source(&envelope).is_some_and(|source| ActrId::try_from(source).as_ref() != Ok(self.id));
        let envelope_id = envelope.envelope_id.clone();
        let Some(flow) = self.respond(envelope) else {
            return Ok(());
        };
        let unregistered = ends_session(&flow);
        let reply = SignalingEnvelope {
            reply_for: Some(envelope_id),
            ..self.envelope(flow)
        };
        send(socket, &reply).await?;
        if unregistered {
            return Err(Ending::Unregistered);
        }
        if is_forged {
            let (kind, reason) = (MisbehaviourKind::ForgedSource, self.other_source());
            return Err(Ending::Misbehaved(kind, CloseCode::POLICY_VIOLATION, reason));
        }
        Ok(())
    }

    /// Hands the node what another one sent to it.
    async fn hand_over(&mut self, socket: &mut Socket, relayed: Relayed) -> Result<(), Ending> {
        let envelope = SignalingEnvelope {
            traceparent: relayed.traceparent,
            tracestate: relayed.tracestate,
            ..self.envelope(Flow::ActrRelay(relayed.relay))
        };
        send(socket, &envelope).await
    }

    /// What to reply, if anything: an error is not answered, lest two peers answer each other for ever.
    pub(crate) fn respond(&mut self, envelope: SignalingEnvelope) -> Option<Flow> {
        if !(ENVELOPE_VERSION..=ENVELOPE_VERSION + 1).contains(&envelope.envelope_version) {
            return refused(
                ErrorCode::InvalidArgument,
                format!("envelope version {} is not supported", envelope.envelope_version),
            );
        }
        match envelope.flow {
            Some(Flow::ActrToServer(request)) => self.respond_to_request(&request),
            Some(Flow::ActrRelay(relay)) if ActrId::try_from(&relay.source).as_ref() != Ok(self.id) => {
                refused(ErrorCode::PermissionDenied, self.other_source())
            }
            Some(Flow::ActrRelay(relay)) => {
                let relayed = Relayed {
                    relay,
                    traceparent: envelope.traceparent,
                    tracestate: envelope.tracestate,
                };
                self.relay(relayed).err().map(Flow::EnvelopeError)
            }
            Some(Flow::EnvelopeError(error)) => {
                debug!(id = %self.id, code = error.code, message = %PeerText::new(&error.message), "a node refused an envelope");
                None
            }
            Some(Flow::ServerToActr(_)) => refused(
                ErrorCode::InvalidArgument,
                "a message from the registry, sent to the registry".into(),
            ),
            None => refused(
                ErrorCode::NotImplemented,
                "this kind of envelope is not supported; registration is at POST /ais/register".into(),
            ),
        }
    }

    fn respond_to_request(&mut self, request: &ActrToSignaling) -> Option<Flow> {
        let answer = match &request.payload {
            _ if ActrId::try_from(&request.source).as_ref() != Ok(self.id) => {
                Answer::Error(answer::error(ErrorCode::PermissionDenied, self.other_source()))
            }
            Some(Request::Error(error)) => {
                debug!(id = %self.id, code = error.code, message = %PeerText::new(&error.message), "a node reports an error");
                return None;
            }
            Some(payload) => self.answer(payload),
            None => Answer::Error(answer::error(
                ErrorCode::NotImplemented,
                "this kind of request is not supported".into(),
            )),
        };
        Some(Flow::ServerToActr(SignalingToActr {
            target: self.id.into(),
            payload: Some(answer),
        }))
    }

    fn answer(&mut self, payload: &Request) -> Answer {
        let asker = Asker {
            id: self.id,
            pongs: self.pongs,
            heartbeat_interval_secs: self.shared.authority.heartbeat_interval_secs(),
        };
        let now = self.shared.clock.now();
        if answer::is_query(payload)
            && let Err(refusal) = self.count_query(now)
        {
            return answer::refused(payload, refusal);
        }
        let answer = {
            let mut state = self.shared.state();
            let answer = answer::answer(&mut state.directory, &asker, payload, now);
            if unregisters(&answer) {
                let sessions = &mut state.sessions;
                sessions.dismiss_successor(self.id, self.number, Dismissal::Unregistered);
            }
            answer
        };
        self.pongs += u64::from(matches!(answer, Answer::Pong(_)));
        if let (Request::Unregister(request), true) = (payload, unregisters(&answer)) {
            info!(id = %self.id, reason = %PeerText::new(request.reason.as_deref().unwrap_or("none")), "unregistered");
        }
        answer
    }

    /// Counts a question or a relayed message, unless it is one too many.
    fn count_query(&self, now: Duration) -> Result<(), ErrorResponse> {
        let counted = self.shared.rates.query(self.id, self.from, now);
        counted.map_err(|exceeded| answer::error(ErrorCode::Unavailable, exceeded.to_string()))
    }

    /// Passes a message on to the node that it is for, and the answer of the registry to both where it asks who offers.
    fn relay(&self, relayed: Relayed) -> Result<(), ErrorResponse> {
        let now = self.shared.clock.now();
        self.count_query(now)?;
        let deliveries = {
            let mut state = self.shared.state();
            let deliveries = relay::route(&mut state.directory, self.id, relayed, now)?;
            // The receivers are woken when the lock is free again.
            let receivers = deliveries.into_iter().map(|delivery| {
                let sender = state.sessions.relays(&delivery.to);
                sender.map(|sender| (sender, delivery))
            });
            receivers.collect::<Result<Vec<_>, _>>()?
        };
        for (sender, delivery) in deliveries {
            sender.send(delivery)?;
        }
        Ok(())
    }

    fn envelope(&mut self, flow: Flow) -> SignalingEnvelope {
        self.sent += 1;
        // The first is random for each life of a registry, the other two count: together they are unique.
        let life = self.shared.life;
        SignalingEnvelope {
            envelope_version: ENVELOPE_VERSION,
            envelope_id: format!("{life:x}-{:x}-{:x}", self.number, self.sent),
            reply_for: None,
            timestamp: Some(self.shared.clock.timestamp()),
            traceparent: None,
            tracestate: None,
            flow: Some(flow),
        }
    }

    fn other_source(&self) -> String {
        format!(
            "this connection belongs to {}, which is not the envelope's source",
            self.id
        )
    }
}

fn refused(code: ErrorCode, message: String) -> Option<Flow> {
    Some(Flow::EnvelopeError(ErrorResponse {
        code: code.number(),
        message,
    }))
}

/// In whose name an envelope was sent.
fn source(envelope: &SignalingEnvelope) -> Option<&proto::ActrId> {
    match &envelope.flow {
        Some(Flow::ActrToServer(request)) => Some(&request.source),
        Some(Flow::ActrRelay(relay)) => Some(&relay.source),
        _ => None,
    }
}

fn unregisters(answer: &Answer) -> bool {
    match answer {
        Answer::Unregister(response) => matches!(response.result, Some(unregister_response::Result::Success(_))),
        _ => false,
    }
}

fn ends_session(flow: &Flow) -> bool {
    match flow {
        Flow::ServerToActr(message) => message.payload.as_ref().is_some_and(unregisters),
        _ => false,
    }
}

async fn send(socket: &mut Socket, envelope: &SignalingEnvelope) -> Result<(), Ending> {
    match timeout(SEND_TIMEOUT, socket.send(envelope)).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) => Err(from_socket(error)),
        Err(_) => Err(Ending::Stalled),
    }
}

/// The next envelope.
async fn next_envelope(socket: &mut Socket) -> Result<SignalingEnvelope, Ending> {
    loop {
        match socket.next().await.map_err(from_socket)? {
            Incoming::Message(bytes) => {
                return SignalingEnvelope::decode(bytes).map_err(|error| {
                    violation(CloseCode::INVALID_PAYLOAD, format!("not a SignalingEnvelope: {error}"))
                });
            }
            Incoming::Text => {
                let reason = "envelopes are binary messages";
                return Err(violation(CloseCode::UNSUPPORTED_DATA, reason));
            }
            Incoming::SignOfLife => {}
        }
    }
}

fn violation(code: CloseCode, reason: impl Into<String>) -> Ending {
    Ending::Misbehaved(MisbehaviourKind::ProtocolViolation, code, reason.into())
}

fn from_socket(error: SocketError) -> Ending {
    match error {
        SocketError::Protocol(ProtocolError::MessageTooLong { .. }) => violation(
            CloseCode::MESSAGE_TOO_BIG,
            format!("an envelope has at most {MAX_ENVELOPE_BYTES} bytes"),
        ),
        SocketError::Protocol(error) => violation(error.close_code(), error.to_string()),
        // Who is gone, or is closing, does nothing wrong.
        SocketError::Closed(_) | SocketError::Cut | SocketError::Io(_) => Ending::Lost,
    }
}
