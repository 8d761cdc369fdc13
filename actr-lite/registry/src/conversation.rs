//! What a node and the registry say to each other over one signaling connection, as a state machine without I/O:
//! envelopes and times in, envelopes and who is to be told out.

use std::time::Duration;

use actr_lite_wire::{
    error_code::ErrorCode,
    identity::ActrId,
    misbehaviour::MisbehaviourKind,
    peer_text::PeerText,
    proto::{
        ActrToSignaling, ErrorResponse, SignalingEnvelope, SignalingToActr, actr_to_signaling::Payload as Request,
        signaling_envelope::Flow, signaling_to_actr::Payload as Answer, unregister_response,
    },
    websocket::CloseCode,
};
use bytes::Bytes;
use prost::Message as _;
use prost_types::Timestamp;
use tracing::{debug, info};

use crate::{
    answer::{self, Answering, Asker, Outcome},
    ending::Ending,
    in_flight::InFlightBytes,
    ledger::{Holder, LimitReached},
    relay::{self, Relayed},
    sessions::{Dismissal, Notice, Told},
    state::State,
};

/// The most bytes of a message from a node: its largest, a session description for WebRTC, has some 10 KiB.
pub const MAX_ENVELOPE_BYTES: usize = 64 * 1024;

/// The envelope version that is written; the next one, without timestamps, is read too.
const ENVELOPE_VERSION: u32 = 1;

/// What a conversation knows of the connection that it goes over, and of the registry.
#[derive(Debug, Clone, Copy)]
pub struct Setting {
    /// On whose account it is.
    pub holder: Holder,
    /// Whether the node is told addresses that only nodes of the registry's own machine can dial.
    pub is_this_machine: bool,
    /// Random for each life of a registry.
    pub life: u64,
    /// How often nodes should send heartbeats.
    pub heartbeat_interval_secs: u32,
}

/// One conversation. For each envelope of the node: [`Self::take`], [`Self::step`] until it is done, [`Self::reply`], and
/// [`Self::written`] when the node has it.
#[derive(Debug)]
pub struct Conversation {
    id: ActrId,
    setting: Setting,
    number: u64,
    sent: u64,
    pongs: u64,
    work: Work,
    /// The memory of a long answer, until it is written.
    held: Option<InFlightBytes>,
}

/// What becomes of the envelope that was taken last.
#[derive(Debug)]
enum Work {
    /// It is answered by this, if anything.
    Done(Option<Flow>),
    Relay(Relayed),
    Request(Request),
    Answering {
        answering: Answering,
        /// What a node that leaves says about it.
        reason: Option<PeerText>,
    },
    Answered {
        outcome: Result<Outcome, LimitReached>,
        reason: Option<PeerText>,
    },
}

/// What a reply needs beside its flow.
#[derive(Debug)]
pub struct Envelope {
    id: String,
    is_forged: bool,
}

/// What comes of an envelope.
#[derive(Debug)]
pub struct Reply {
    /// What the node is told, if anything.
    pub envelope: Option<SignalingEnvelope>,
    /// The connection is to end then.
    pub ending: Option<Ending>,
}

impl Conversation {
    /// Enters a connection of `id`, which `handle` reaches, in the table, unless the node's lease, on which its end
    /// depends, is over. There is a notice for the connection that it replaces.
    pub fn open<H>(
        state: &mut State<H>,
        id: &ActrId,
        handle: H,
        setting: Setting,
        now: Duration,
    ) -> Option<(Self, Option<Notice<H>>)> {
        state.directory.sign_of_life(id, now).ok()?;
        let (number, replaced) = state.sessions.open(id, handle);
        let conversation = Self {
            id: id.clone(),
            setting,
            number,
            sent: 0,
            pongs: 0,
            work: Work::Done(None),
            held: None,
        };
        Some((conversation, replaced))
    }

    /// Whose it is.
    pub fn id(&self) -> &ActrId {
        &self.id
    }

    /// Takes the connection out of the table. That does not unregister the node: its lease decides.
    pub fn close<H>(&self, state: &mut State<H>) {
        if state.sessions.close(&self.id, self.number) {
            state.directory.lost(&self.id);
        }
    }

    /// Takes a message of the node.
    ///
    /// # Errors
    /// When it is no envelope: the connection has to end.
    pub fn take(&mut self, message: Bytes) -> Result<Envelope, Ending> {
        let envelope = SignalingEnvelope::decode(message).map_err(|error| {
            Ending::violation(CloseCode::INVALID_PAYLOAD, format!("not a SignalingEnvelope: {error}"))
        })?;
        Ok(self.take_envelope(envelope))
    }

    /// The same of an envelope.
    pub fn take_envelope(&mut self, mut envelope: SignalingEnvelope) -> Envelope {
        let source = match &envelope.flow {
            Some(Flow::ActrToServer(request)) => Some(&request.source),
            Some(Flow::ActrRelay(relay)) => Some(&relay.source),
            _ => None,
        };
        let is_forged = source.is_some_and(|source| ActrId::try_from(source).as_ref() != Ok(&self.id));
        let id = std::mem::take(&mut envelope.envelope_id);
        self.work = self.work_on(envelope, is_forged);
        Envelope { id, is_forged }
    }

    /// An error is not answered, lest two peers answer each other for ever.
    fn work_on(&self, envelope: SignalingEnvelope, is_forged: bool) -> Work {
        if !(ENVELOPE_VERSION..=ENVELOPE_VERSION + 1).contains(&envelope.envelope_version) {
            let version = envelope.envelope_version;
            return refused(
                ErrorCode::InvalidArgument,
                format!("envelope version {version} is not supported"),
            );
        }
        match envelope.flow {
            Some(Flow::ActrToServer(_)) if is_forged => {
                let refusal = answer::error(ErrorCode::PermissionDenied, self.other_source());
                Work::Done(Some(self.answered(Answer::Error(refusal))))
            }
            Some(Flow::ActrToServer(request)) => self.work_on_request(request),
            Some(Flow::ActrRelay(_)) if is_forged => refused(ErrorCode::PermissionDenied, self.other_source()),
            Some(Flow::ActrRelay(relay)) => Work::Relay(Relayed {
                relay,
                traceparent: envelope.traceparent,
                tracestate: envelope.tracestate,
            }),
            Some(Flow::EnvelopeError(error)) => {
                debug!(id = %self.id, code = error.code, message = %PeerText::new(&error.message), "a node refused an envelope");
                Work::Done(None)
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

    fn work_on_request(&self, request: ActrToSignaling) -> Work {
        match request.payload {
            Some(Request::Error(error)) => {
                debug!(id = %self.id, code = error.code, message = %PeerText::new(&error.message), "a node reports an error");
                Work::Done(None)
            }
            Some(payload) => Work::Request(payload),
            None => {
                let refusal = answer::error(
                    ErrorCode::NotImplemented,
                    "this kind of request is not supported".into(),
                );
                Work::Done(Some(self.answered(Answer::Error(refusal))))
            }
        }
    }

    /// Works on what was taken for a moment; whether that is done. Others may have their turn before the next step.
    pub fn step<H: Clone>(&mut self, state: &mut State<H>, now: Duration, told: &mut Told<H>) -> bool {
        self.work = match std::mem::replace(&mut self.work, Work::Done(None)) {
            Work::Relay(relayed) => {
                let refusal = self.relay(state, relayed, now, told).err();
                match refusal {
                    None => state.relays.passed += 1,
                    Some(_) => state.relays.refused += 1,
                }
                Work::Done(refusal.map(Flow::EnvelopeError))
            }
            Work::Request(request) => match self.count_query_of(state, &request, now) {
                // The request may have many small parts: it is dropped here, and not held while others have their turn.
                Ok(()) => self.answering(&request),
                Err(refusal) => Work::Done(Some(self.answered(answer::refused(&request, refusal)))),
            },
            Work::Answering { mut answering, reason } => match answering.step(&mut state.directory, now) {
                None => Work::Answering { answering, reason },
                Some(outcome) => {
                    if matches!(&outcome, Outcome::Answer(answer) if unregisters(answer)) {
                        let why = Dismissal::Unregistered;
                        told.dismissed = state.sessions.dismiss_successor(&self.id, self.number, why);
                    }
                    let outcome = self.hold(state, &outcome).map(|()| outcome);
                    Work::Answered { outcome, reason }
                }
            },
            done => done,
        };
        matches!(self.work, Work::Done(_) | Work::Answered { .. })
    }

    /// What is answered to the envelope whose work is done; `at` is the time of the registry.
    pub fn reply(&mut self, to: Envelope, at: Timestamp) -> Reply {
        let Some(flow) = self.flow() else {
            return Reply {
                envelope: None,
                ending: None,
            };
        };
        let ending = if ends_session(&flow) {
            Some(Ending::Unregistered)
        } else if to.is_forged {
            Some(Ending::Misbehaved {
                kind: MisbehaviourKind::ForgedSource,
                code: CloseCode::POLICY_VIOLATION,
                reason: self.other_source(),
            })
        } else {
            None
        };
        let envelope = SignalingEnvelope {
            reply_for: Some(to.id),
            ..self.envelope(flow, at)
        };
        Reply {
            envelope: Some(envelope),
            ending,
        }
    }

    /// The node has the reply, and nothing of it is held any more.
    pub fn written(&mut self) {
        self.held = None;
    }

    /// The envelope that hands the node what another one sent to it, if anything waits, and whether there is more.
    pub fn next_relay<H>(&mut self, state: &mut State<H>, at: Timestamp) -> Option<(SignalingEnvelope, bool)> {
        let (relayed, has_more) = state.sessions.next_relay(&self.id, self.number)?;
        let envelope = SignalingEnvelope {
            traceparent: relayed.traceparent,
            tracestate: relayed.tracestate,
            ..self.envelope(Flow::ActrRelay(relayed.relay), at)
        };
        Some((envelope, has_more))
    }

    fn answering(&self, request: &Request) -> Work {
        let reason = match request {
            Request::Unregister(request) => request.reason.as_deref().map(PeerText::new),
            _ => None,
        };
        let answering = Answering::new(&self.asker(), request);
        Work::Answering { answering, reason }
    }

    /// To make a message of what was found needs no directory.
    fn flow(&mut self) -> Option<Flow> {
        let (outcome, reason) = match std::mem::replace(&mut self.work, Work::Done(None)) {
            Work::Done(flow) => return flow,
            Work::Answered { outcome, reason } => (outcome, reason),
            unfinished => {
                self.work = unfinished;
                return None;
            }
        };
        let answer = match outcome {
            Ok(outcome) => outcome.answer_to(&self.asker()),
            Err(full) => Answer::Error(answer::error(ErrorCode::Unavailable, full.to_string())),
        };
        self.pongs += u64::from(matches!(answer, Answer::Pong(_)));
        if unregisters(&answer) {
            let reason = reason.unwrap_or_else(|| PeerText::new("none"));
            info!(id = %self.id, %reason, "unregistered");
        }
        Some(self.answered(answer))
    }

    fn asker(&self) -> Asker<'_> {
        Asker {
            id: &self.id,
            is_this_machine: self.setting.is_this_machine,
            pongs: self.pongs,
            heartbeat_interval_secs: self.setting.heartbeat_interval_secs,
        }
    }

    /// Counts a question, unless it is one too many. What a node needs to stay is not counted.
    fn count_query_of<H>(&self, state: &mut State<H>, request: &Request, now: Duration) -> Result<(), ErrorResponse> {
        match answer::is_query(request) {
            true => self.count_query(state, now),
            false => Ok(()),
        }
    }

    /// Counts a question or a relayed message, unless it is one too many.
    fn count_query<H>(&self, state: &mut State<H>, now: Duration) -> Result<(), ErrorResponse> {
        let counted = state.rates.query(&self.id, self.setting.holder.source, now);
        counted.map_err(|exceeded| answer::error(ErrorCode::Unavailable, exceeded.to_string()))
    }

    /// Puts an answer that is longer than a request may be on the node's account while it is written.
    fn hold<H>(&mut self, state: &State<H>, outcome: &Outcome) -> Result<(), LimitReached> {
        if let Outcome::Contract(Ok(encoded)) = outcome
            && encoded.len() > MAX_ENVELOPE_BYTES
        {
            // It is there as a message and as the bytes of one.
            self.held = Some(state.in_flight.take(self.setting.holder, 2 * encoded.len())?);
        }
        Ok(())
    }

    /// Passes a message on to the node that it is for, and the answer of the registry to both where it asks who offers.
    fn relay<H: Clone>(
        &self,
        state: &mut State<H>,
        relayed: Relayed,
        now: Duration,
        told: &mut Told<H>,
    ) -> Result<(), ErrorResponse> {
        self.count_query(state, now)?;
        let deliveries = relay::route(&mut state.directory, &self.id, relayed, now)?;
        let (in_flight, sender) = (&state.in_flight, self.setting.holder);
        state.sessions.deliver(deliveries, in_flight, sender, &mut told.woken)
    }

    fn answered(&self, answer: Answer) -> Flow {
        Flow::ServerToActr(SignalingToActr {
            target: (&self.id).into(),
            payload: Some(answer),
        })
    }

    fn envelope(&mut self, flow: Flow, at: Timestamp) -> SignalingEnvelope {
        self.sent += 1;
        // The first is random for each life of a registry, the other two count: together they are unique.
        let life = self.setting.life;
        SignalingEnvelope {
            envelope_version: ENVELOPE_VERSION,
            envelope_id: format!("{life:x}-{:x}-{:x}", self.number, self.sent),
            reply_for: None,
            timestamp: Some(at),
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

fn refused(code: ErrorCode, message: String) -> Work {
    Work::Done(Some(Flow::EnvelopeError(answer::error(code, message))))
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

#[cfg(test)]
mod tests;
