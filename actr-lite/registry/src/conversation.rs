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
    websocket::CloseCode,
};
use tokio::task::yield_now;
use tracing::{debug, info};

use crate::{
    answer::{self, Answering, Asker, Outcome},
    envelope_socket::{Ending, MAX_ENVELOPE_BYTES, Socket, next_envelope, send},
    in_flight::InFlightBytes,
    ledger::{Holder, LimitReached},
    origin::Origin,
    relay::{self, RelayReceiver, Relayed},
    shared::{Dismissal, Notice, Shared},
};

/// The envelope version that is written; the next one, without timestamps, is read too.
const ENVELOPE_VERSION: u32 = 1;

/// What a node and the registry say to each other over one signaling connection.
pub(crate) struct Conversation<'a> {
    shared: &'a Shared,
    id: &'a ActrId,
    holder: Holder,
    is_this_machine: bool,
    number: u64,
    sent: u64,
    pongs: u64,
    /// The memory of a long answer, until it is written.
    held: Option<InFlightBytes>,
}

impl<'a> Conversation<'a> {
    /// The conversation with `id` over its connection with this number, which comes from `origin` and is on the account of
    /// `holder`.
    pub(crate) fn new(shared: &'a Shared, id: &'a ActrId, holder: Holder, origin: &Origin, number: u64) -> Self {
        Self {
            shared,
            id,
            holder,
            is_this_machine: origin.is_this_machine || shared.options.insecure,
            number,
            sent: 0,
            pongs: 0,
            held: None,
        }
    }

    /// Goes on until the connection has to end.
    pub(crate) async fn run(&mut self, socket: &mut Socket, mut relayed: RelayReceiver) -> Ending {
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
        let Some(flow) = self.respond(envelope).await else {
            return Ok(());
        };
        let unregistered = ends_session(&flow);
        let reply = SignalingEnvelope {
            reply_for: Some(envelope_id),
            ..self.envelope(flow)
        };
        send(socket, &reply).await?;
        self.held = None;
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
    pub(crate) async fn respond(&mut self, envelope: SignalingEnvelope) -> Option<Flow> {
        if !(ENVELOPE_VERSION..=ENVELOPE_VERSION + 1).contains(&envelope.envelope_version) {
            return refused(
                ErrorCode::InvalidArgument,
                format!("envelope version {} is not supported", envelope.envelope_version),
            );
        }
        match envelope.flow {
            Some(Flow::ActrToServer(request)) => self.respond_to_request(request).await,
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

    async fn respond_to_request(&mut self, request: ActrToSignaling) -> Option<Flow> {
        let answer = match request.payload {
            _ if ActrId::try_from(&request.source).as_ref() != Ok(self.id) => {
                Answer::Error(answer::error(ErrorCode::PermissionDenied, self.other_source()))
            }
            Some(Request::Error(error)) => {
                debug!(id = %self.id, code = error.code, message = %PeerText::new(&error.message), "a node reports an error");
                return None;
            }
            Some(payload) => self.answer(payload).await,
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

    async fn answer(&mut self, request: Request) -> Answer {
        if answer::is_query(&request)
            && let Err(refusal) = self.count_query()
        {
            return answer::refused(&request, refusal);
        }
        let asker = Asker {
            id: self.id,
            is_this_machine: self.is_this_machine,
            pongs: self.pongs,
            heartbeat_interval_secs: self.shared.authority.heartbeat_interval_secs(),
        };
        let reason = match &request {
            Request::Unregister(request) => request.reason.as_deref().map(PeerText::new),
            _ => None,
        };
        let mut answering = Answering::new(&asker, &request);
        // It may have many small parts, which are not to be held while others have their turn.
        drop(request);
        let outcome = loop {
            if let Some(outcome) = self.step(&mut answering) {
                break outcome;
            }
            yield_now().await;
        };
        let answer = match self.hold(&outcome) {
            Ok(()) => outcome.answer_to(&asker),
            Err(full) => Answer::Error(answer::error(ErrorCode::Unavailable, full.to_string())),
        };
        self.pongs += u64::from(matches!(answer, Answer::Pong(_)));
        if unregisters(&answer) {
            let reason = reason.unwrap_or_else(|| PeerText::new("none"));
            info!(id = %self.id, %reason, "unregistered");
        }
        answer
    }

    /// Counts a question or a relayed message, unless it is one too many.
    fn count_query(&self) -> Result<(), ErrorResponse> {
        let now = self.shared.clock.now();
        let counted = self.shared.rates.query(self.id, self.holder.source, now);
        counted.map_err(|exceeded| answer::error(ErrorCode::Unavailable, exceeded.to_string()))
    }

    /// Works on an answer for a moment.
    fn step(&self, answering: &mut Answering) -> Option<Outcome> {
        let now = self.shared.clock.now();
        let mut state = self.shared.state();
        let outcome = answering.step(&mut state.directory, now);
        let has_left = matches!(&outcome, Some(Outcome::Answer(answer)) if unregisters(answer));
        let notice = has_left.then(|| {
            let sessions = &mut state.sessions;
            sessions.dismiss_successor(self.id, self.number, Dismissal::Unregistered)
        });
        drop(state);
        notice.flatten().into_iter().for_each(Notice::tell);
        outcome
    }

    /// Puts an answer that is longer than a request may be on the node's account while it is written.
    fn hold(&mut self, outcome: &Outcome) -> Result<(), LimitReached> {
        if let Outcome::Contract(Ok(encoded)) = outcome
            && encoded.len() > MAX_ENVELOPE_BYTES
        {
            // It is there as a message and as the bytes of one.
            self.held = Some(self.shared.in_flight.take(self.holder, 2 * encoded.len())?);
        }
        Ok(())
    }

    /// Passes a message on to the node that it is for, and the answer of the registry to both where it asks who offers.
    fn relay(&self, relayed: Relayed) -> Result<(), ErrorResponse> {
        self.count_query()?;
        let now = self.shared.clock.now();
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
            sender.send(delivery, &self.shared.in_flight, self.holder)?;
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
