use std::{
    fmt::Display,
    sync::{Arc, atomic::Ordering},
    task::{Context, Poll},
};

use actr_lite_wire::{
    control::Control,
    envelope::{Envelope, EnvelopeError, ErrorReply},
    misbehaviour::MisbehaviourKind,
    partial_record::PartialRecord,
    peer_text::RawText,
    record::{self, RecordError, RecordKind},
};
use bytes::Bytes;
use tracing::debug;

use crate::{
    lane::{
        close_reason::CloseReason,
        receiver::{Receiver, Violation},
    },
    limits::held_bytes::HeldBytes,
    session::{
        frame_intake::FrameIntake, receive_error::ReceiveError, request::Request, serve::Serve, session::Session,
    },
    stream::{
        send_error::{EndedStream, SendError},
        stream_end::StreamEnd,
    },
};

/// Up to this length all of a message is taken before the callers that wait for its answers are woken: waking a task
/// takes longer than what such a message holds, and what is there by then, often the beginning of a stream, wakes
/// nobody again.
const SHORT_MESSAGE: usize = 8 << 10;

/// How many answers of a message may wait for its end: their list is kept as long as the connection.
const MAX_WAITING_ANSWERS: usize = 16;

/// Takes what a lane brings. The lane's driver owns it; of the application only callbacks that wait for nothing run in
/// here, after all of a message's frames were gathered.
pub(crate) struct SessionReceiver {
    session: Arc<Session>,
    serve: Arc<dyn Serve>,
    frames: FrameIntake,
    /// The long record that comes in parts.
    partial: PartialRecord,
    /// For what has come of it.
    partial_held: HeldBytes,
    /// How many records in parts were whole.
    whole_records: u64,
    /// The answers that wait for the end of a short message.
    answers: Vec<(RawText, Result<Bytes, ErrorReply>)>,
}

impl Receiver for SessionReceiver {
    fn receive(&mut self, message: Bytes) -> Result<(), Violation> {
        let taken = self.take(&message);
        for (request_id, result) in self.answers.drain(..) {
            self.session.answer(&request_id, result);
        }
        taken.map_err(|error| Violation {
            code: error.close_code(),
            reason: error.to_string(),
        })
    }

    fn poll_room(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.frames.poll_room(cx)
    }

    fn partial(&self) -> (usize, u64) {
        (self.partial.len(), self.whole_records)
    }

    fn complain(&self, kind: MisbehaviourKind, reason: &dyn Display) {
        let session = &self.session;
        session
            .environment
            .streams
            .complaints
            .about(kind, session.peer(), reason);
    }

    fn closed(&mut self, reason: CloseReason) {
        self.session.end(reason);
    }
}

impl SessionReceiver {
    /// For a session whose peer's calls are served by `serve`.
    pub(crate) fn new(session: Arc<Session>, serve: Arc<dyn Serve>) -> Self {
        Self {
            partial_held: HeldBytes::new(Arc::clone(session.uplink.account()), 0),
            frames: FrameIntake::new(Arc::clone(&session)),
            session,
            serve,
            partial: PartialRecord::default(),
            whole_records: 0,
            answers: Vec::new(),
        }
    }

    fn take(&mut self, message: &Bytes) -> Result<(), ReceiveError> {
        let is_extended = self.session.lane().has_control();
        let limit = self.session.environment.record_limit.bytes();
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
                    self.frames.add(message, span)?;
                }
                kind => {
                    self.frames.flush(message);
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
        self.frames.flush(message);
        Ok(())
    }

    fn envelope(&mut self, body: Bytes, message_len: usize) -> Result<(), ReceiveError> {
        let is_short = message_len <= SHORT_MESSAGE;
        let occupancy = &self.session.environment.streams.occupancy;
        let max_metadata = occupancy.limits().max_metadata_bytes.get();
        let envelope = match Envelope::decode_within(max_metadata, body) {
            Err(EnvelopeError::Metadata { cost, rest }) => {
                let error = occupancy.metadata_too_long(cost).into();
                if let Some(request) = Request::of(*rest, message_len) {
                    self.session.refuse(request, &error);
                }
                return Ok(());
            }
            Err(error) if !error.is_fatal() => {
                debug!("an envelope of {} is dropped: {error}", self.session.peer());
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
                    self.session.serve(request, self.serve.as_ref());
                }
            }
        }
        Ok(())
    }

    fn control(&mut self, control: Control) -> Result<(), ReceiveError> {
        match control {
            Control::Credit { stream_id, bytes } => {
                if let Some(stream) = self.session.uplink.outgoing().find(&stream_id) {
                    stream.grant(bytes)?;
                }
            }
            Control::Cancel { stream_id, reason } => {
                if let Some(stream) = self.session.uplink.outgoing().find(&stream_id) {
                    let stream_of_it = EndedStream { stream_id, frames: 0 };
                    stream.close(SendError::Cancelled {
                        stream: stream_of_it,
                        reason,
                    });
                }
            }
            Control::End { stream_id, frames } => self.frames.finish(&stream_id, StreamEnd::Finished { frames }),
            Control::Error {
                stream_id,
                frames,
                code,
                message,
            } => {
                self.frames
                    .finish(&stream_id, StreamEnd::Failed { frames, code, message });
            }
            Control::CallCancel { request_id } => self.session.served.cancel(&request_id),
            Control::Leaving => self.session.environment.departures.announce(self.session.peer()),
        }
        Ok(())
    }
}
