use std::{
    fmt::Display,
    mem,
    ops::Range,
    str,
    sync::{Arc, atomic::Ordering},
    task::{Context, Poll},
    time::Duration,
};

use actr_lite_engine::{connection::Partial, memory::Memory as _};
use actr_lite_quota::Limit;
use actr_lite_wire::{
    acl::AclRefusal,
    control::{Control, ControlError},
    credit::CreditError,
    envelope::{Envelope, EnvelopeError, ErrorReply},
    frame::{self, FrameError},
    identity::{ActrId, StreamId},
    misbehaviour::MisbehaviourKind,
    partial_record::{PartError, PartialRecord},
    peer_text::{PeerText, RawText},
    record::{self, RecordError, RecordKind, Span},
    websocket::CloseCode,
};
use bytes::Bytes;
use thiserror::Error;
use tracing::debug;

use super::{
    Session,
    incoming::{Finished, Route},
    runs::{Run, Runs},
    served::Request,
};
use crate::{
    accounts::PeerAccount,
    held_bytes::HeldBytes,
    lane::CloseReason,
    stream::{EndedStream, Inbox, Pushed, SendError, StreamEnd, Unbound},
};

/// Takes what a lane brings. The lane's driver owns it; of the application only callbacks that wait for nothing run in
/// here, after all of a message's frames were gathered.
pub(crate) struct SessionReceiver {
    session: Arc<Session>,
    /// The frames that were received and not handed over yet: none between two messages.
    runs: Runs,
    /// The long record that comes in parts.
    partial: PartialRecord,
    /// For what has come of it.
    partial_held: HeldBytes,
    /// How many records in parts were whole.
    whole_records: u64,
    /// Whose queue is full, with a sender that knows no credit.
    full: Option<Arc<Inbox>>,
    /// The answers that wait for the end of a short message.
    answers: Vec<(RawText, Result<Bytes, ErrorReply>)>,
    /// How many streams were refused.
    refused: usize,
}

/// Up to this length all of a message is taken before the callers that wait for its answers are woken: waking a task
/// takes longer than what such a message holds, and what is there by then, often the beginning of a stream, wakes
/// nobody again.
const SHORT_MESSAGE: usize = 8 << 10;

/// How many answers of a message may wait for its end: their list is kept as long as the connection.
const MAX_WAITING_ANSWERS: usize = 16;

/// How many refused streams of one connection are logged at the usual level: more are a flood.
const MAX_REFUSALS_TOLD: usize = 10;

/// How a peer broke the protocol.
#[derive(Debug, Error)]
pub(crate) enum ReceiveError {
    #[error(transparent)]
    Record(#[from] RecordError),
    #[error(transparent)]
    Envelope(#[from] EnvelopeError),
    #[error(transparent)]
    Frame(#[from] FrameError),
    #[error(transparent)]
    Control(#[from] ControlError),
    #[error(transparent)]
    Credit(#[from] CreditError),
    #[error(transparent)]
    Part(#[from] PartError),
    #[error("a stream id is not valid")]
    StreamId,
    #[error("a record of {len} bytes is over the limit of {limit} bytes")]
    TooLong { len: usize, limit: usize },
    #[error("this node has {0}")]
    OverShare(Limit),
    #[error("{0:?} records need the extension, which was not agreed on")]
    NotExtended(RecordKind),
    #[error("several records in one message need the extension, which was not agreed on")]
    Batch,
}

impl ReceiveError {
    /// The code to close the connection with (RFC 6455 §7.4.1).
    pub(crate) fn close_code(&self) -> CloseCode {
        match self {
            Self::TooLong { .. } | Self::Part(PartError::TooLong { .. }) => CloseCode::MESSAGE_TOO_BIG,
            // What a record holds is not what its kind says.
            Self::Envelope(_) | Self::Frame(_) | Self::Control(_) | Self::StreamId => CloseCode::INVALID_PAYLOAD,
            Self::OverShare(_) => CloseCode::POLICY_VIOLATION,
            Self::Record(_) | Self::Part(_) | Self::Credit(_) | Self::NotExtended(_) | Self::Batch => {
                CloseCode::PROTOCOL_ERROR
            }
        }
    }
}

/// Why a stream's frames are not taken; the sender is told.
#[derive(Debug, Error)]
enum StreamRefusal {
    #[error("the stream is not registered here")]
    Unknown,
    #[error("{receiver} has registered another sender for this stream than {sender} (PermissionDenied)")]
    OtherSender { sender: ActrId, receiver: ActrId },
    #[error("{0} (PermissionDenied)")]
    Denied(AclRefusal),
}

impl SessionReceiver {
    pub(crate) fn new(session: Arc<Session>) -> Self {
        Self {
            partial_held: HeldBytes::new(Arc::clone(&session.account), 0),
            session,
            runs: Runs::default(),
            partial: PartialRecord::default(),
            whole_records: 0,
            full: None,
            answers: Vec::new(),
            refused: 0,
        }
    }

    /// Takes one message's records.
    ///
    /// # Errors
    /// When the peer broke the protocol: the connection has to be closed. Records before that were taken.
    pub(crate) fn receive(&mut self, message: Bytes) -> Result<(), ReceiveError> {
        let taken = self.take(&message);
        for (request_id, result) in self.answers.drain(..) {
            self.session.answer(&request_id, result);
        }
        taken
    }

    fn take(&mut self, message: &Bytes) -> Result<(), ReceiveError> {
        let is_extended = self.session.lane().has_control();
        let limit = self.session.node.record_limit().bytes();
        let mut at = 0;
        while at < message.len() {
            let span = match record::span_at(message, at) {
                // A length that lies is reported as if it were true.
                Err(RecordError::Cut { wanted: len, .. }) if len > limit => {
                    return Err(ReceiveError::TooLong { len, limit });
                }
                span => span?,
            };
            at = span.end;
            let len = span.len() - record::HEADER_LEN;
            if len > limit {
                return Err(ReceiveError::TooLong { len, limit });
            }
            if !is_extended && at < message.len() {
                return Err(ReceiveError::Batch);
            }
            match span.kind {
                RecordKind::StreamReliable | RecordKind::StreamLatencyFirst => {
                    self.frame(message, span)?;
                }
                kind => {
                    self.flush(message);
                    let body = message.slice(span.body_start()..span.end);
                    match kind {
                        RecordKind::RpcReliable | RecordKind::RpcSignal => self.envelope(body, message.len())?,
                        kind if !is_extended => return Err(ReceiveError::NotExtended(kind)),
                        RecordKind::Part => {
                            // Its buffer grows to twice what it holds.
                            let len = 2 * (self.partial.len() + body.len());
                            self.partial_held.cover(len).map_err(ReceiveError::OverShare)?;
                            let whole = self.partial.push(&body, limit)?;
                            self.session.partial_len.store(self.partial.len(), Ordering::Relaxed);
                            if let Some(record) = whole {
                                self.whole_records += 1;
                                self.partial_held.shrink(0);
                                // It goes no deeper: a part in parts is refused.
                                self.take(&record)?;
                            }
                        }
                        kind => self.control(Control::decode(kind, body)?)?,
                    }
                }
            }
        }
        self.flush(message);
        Ok(())
    }

    /// Ready when more may be received.
    pub(crate) fn poll_room(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(inbox) = &self.full else {
            return Poll::Ready(());
        };
        let room = inbox.poll_room(cx);
        if room.is_ready() {
            self.full = None;
        }
        room
    }

    /// What has come of a record in parts that is not whole yet, and how many were whole.
    pub(crate) fn partial(&self) -> Partial {
        Partial {
            len: self.partial.len(),
            whole_records: self.whole_records,
        }
    }

    /// What the peer makes this node hold.
    pub(crate) fn account(&self) -> &Arc<PeerAccount> {
        self.session.account()
    }

    /// How long the peer may take with what it has begun to send.
    pub(crate) fn stall_timeout(&self) -> Duration {
        self.session.stall_timeout()
    }

    /// Counts and logs what the peer did: its connection is about to be closed for it.
    pub(crate) fn complain(&self, kind: MisbehaviourKind, reason: &dyn Display) {
        let session = &self.session;
        session.node.complaints().about(kind, &session.peer, reason);
    }

    /// The lane is closed; nothing more comes.
    pub(crate) fn closed(&mut self, reason: CloseReason) {
        self.session.end(reason);
    }

    /// Adds a frame to the run of its stream.
    fn frame(&mut self, message: &Bytes, span: Span) -> Result<(), ReceiveError> {
        let stream_id = frame::stream_id_of(&message[span.body_start()..span.end])?;
        if self.runs.extend(stream_id, message, span) {
            return Ok(());
        }
        if self.runs.is_full() {
            self.flush(message);
        }
        let text = str::from_utf8(stream_id).map_err(|_| ReceiveError::StreamId)?;
        match self.route(text)? {
            Some(inbox) => self.runs.start(inbox, span),
            None => self.session.node.count_unknown_frames(1),
        }
        Ok(())
    }

    /// The inbox of a stream. If it is not registered, the sender is told and this is `None`.
    fn route(&mut self, stream_id: &str) -> Result<Option<Arc<Inbox>>, ReceiveError> {
        let session = Arc::clone(&self.session);
        match session.incoming.route(stream_id) {
            Route::To(inbox) => return Ok(Some(inbox)),
            Route::Unwanted if session.lane().has_control() => return Ok(None),
            Route::Unwanted | Route::Unknown => {}
        }
        let refusal = match self.bind(stream_id) {
            Ok(inbox) => {
                session.incoming.bind(&inbox);
                return Ok(Some(inbox));
            }
            Err(refusal) => refusal,
        };
        self.refuse(stream_id.parse().map_err(|_| ReceiveError::StreamId)?, &refusal);
        Ok(None)
    }

    /// The inbox of a stream that this connection may feed.
    fn bind(&self, stream_id: &str) -> Result<Arc<Inbox>, StreamRefusal> {
        let session = &self.session;
        let inbox = session.node.subscriptions().find(stream_id);
        let inbox = inbox.ok_or(StreamRefusal::Unknown)?;
        let own_id = || session.node.self_id();
        match inbox.bind(session) {
            Ok(()) => match session.node.router().denial(own_id, &session.peer) {
                None => Ok(inbox),
                Some(denial) => {
                    inbox.end(StreamEnd::Denied(denial.clone()));
                    Err(StreamRefusal::Denied(denial))
                }
            },
            Err(Unbound::Taken) => Err(StreamRefusal::Unknown),
            Err(Unbound::OtherSender) => Err(StreamRefusal::OtherSender {
                sender: session.peer.clone(),
                receiver: own_id(),
            }),
        }
    }

    fn refuse(&mut self, stream_id: StreamId, refusal: &StreamRefusal) {
        let session = &self.session;
        if !session.incoming.refuse(stream_id.clone()) {
            return;
        }
        let peer = &session.peer;
        self.refused += 1;
        if self.refused <= MAX_REFUSALS_TOLD {
            session.node.complaints().remark(&format_args!(
                "{peer} sends stream {stream_id}: {refusal}; its frames are dropped"
            ));
        } else {
            debug!("{peer} sends stream {stream_id} too: {refusal}");
        }
        let reason = PeerText::of(refusal);
        session.lane().send_control(&Control::Cancel { stream_id, reason });
    }

    /// Hands over what was gathered.
    fn flush(&mut self, message: &Bytes) {
        if self.runs.is_empty() {
            return;
        }
        let mut runs = mem::take(&mut self.runs);
        for mut run in runs.drain() {
            self.deliver(message, &mut run);
        }
        self.runs = runs;
    }

    fn deliver(&mut self, message: &Bytes, run: &mut Run) {
        let (message, range) = run.records(message);
        if self.push(&run.inbox, &message, range.clone(), run.last_len) {
            return;
        }
        // An unsubscribed stream is cancelled already; a sender that ignored its credit has not been told yet.
        self.session.cancel_incoming(&run.inbox, "the subscription is over");
        // If the sender knows no cancel, the stream may have been requested again, and this may be its beginning.
        if !self.session.lane().has_control()
            && let Ok(Some(next)) = self.route(run.inbox.stream_id().as_str())
            && self.push(&next, &message, range, run.last_len)
        {
            return;
        }
        self.session.node.count_unknown_frames(run.frames);
    }

    /// Puts records into an inbox; false if the inbox has ended.
    fn push(&mut self, inbox: &Arc<Inbox>, message: &Bytes, range: Range<usize>, last_len: usize) -> bool {
        let has_credit = self.session.lane().has_control();
        match inbox.deliver(message, range, last_len, has_credit) {
            Pushed::Taken => true,
            Pushed::Full => {
                self.full = Some(Arc::clone(inbox));
                true
            }
            Pushed::Ended => false,
        }
    }

    fn envelope(&mut self, body: Bytes, message_len: usize) -> Result<(), ReceiveError> {
        let is_short = message_len <= SHORT_MESSAGE;
        let occupancy = self.session.node.occupancy();
        let max_metadata = occupancy.limits().max_metadata_bytes.get();
        let envelope = match Envelope::decode_within(max_metadata, body) {
            Err(EnvelopeError::Metadata { cost, rest }) => {
                let error = occupancy.metadata_too_long(cost);
                if let Some(request) = Request::of(*rest, message_len) {
                    self.session.refuse(request, &error);
                }
                return Ok(());
            }
            Err(error) if !error.is_fatal() => {
                debug!("an envelope of {} is dropped: {error}", self.session.peer);
                return Ok(());
            }
            envelope => envelope?,
        };
        match envelope {
            Envelope::Response { request_id, result, .. } if is_short && self.answers.len() < MAX_WAITING_ANSWERS => {
                self.answers.push((request_id, result));
            }
            Envelope::Response { request_id, result, .. } => self.session.answer(&request_id, result),
            envelope => {
                if let Some(request) = Request::of(envelope, message_len) {
                    self.session.serve(request);
                }
            }
        }
        Ok(())
    }

    fn control(&mut self, control: Control) -> Result<(), ReceiveError> {
        match control {
            Control::Credit { stream_id, bytes } => {
                if let Some(stream) = self.session.outgoing.find(&stream_id) {
                    stream.grant(bytes)?;
                }
            }
            Control::Cancel { stream_id, reason } => {
                if let Some(stream) = self.session.outgoing.find(&stream_id) {
                    let stream_of_it = EndedStream { stream_id, frames: 0 };
                    stream.close(SendError::Cancelled {
                        stream: stream_of_it,
                        reason,
                    });
                }
            }
            Control::End { stream_id, frames } => self.finish(&stream_id, StreamEnd::Finished { frames }),
            Control::Error {
                stream_id,
                frames,
                code,
                message,
            } => {
                self.finish(&stream_id, StreamEnd::Failed { frames, code, message });
            }
            Control::CallCancel { request_id } => self.session.served.cancel(&request_id),
            Control::Leaving => self.session.node.departures().announce(&self.session.peer),
        }
        Ok(())
    }

    fn finish(&mut self, stream_id: &StreamId, end: StreamEnd) {
        match self.session.incoming.finish(stream_id.as_str()) {
            Finished::Fed(inbox) => inbox.deliver_end(end),
            Finished::Unwanted => {}
            // A stream without a single frame was requested too.
            Finished::Unknown => {
                if let Ok(inbox) = self.bind(stream_id.as_str()) {
                    inbox.deliver_end(end);
                }
            }
        }
    }
}
