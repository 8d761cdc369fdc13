use std::{
    fmt::Display,
    sync::{Arc, atomic::Ordering},
    task::{Context, Poll},
};

use actr_lite_engine::{
    begun::Partial,
    held_bytes::HeldBytes,
    memory::Memory as _,
    message_reader::{MessageReader, Receive},
    receive_error::ReceiveError,
    runs::Run,
};
use actr_lite_quota::Limit;
use actr_lite_wire::{
    control::Control,
    envelope::{Envelope, EnvelopeError, ErrorReply},
    identity::StreamId,
    misbehaviour::MisbehaviourKind,
    peer_text::RawText,
};
use bytes::Bytes;
use tracing::debug;

use crate::{
    lane::{
        close_reason::CloseReason,
        receiver::{Receiver, Violation},
    },
    session::{frame_intake::FrameIntake, request::Request, serve::Serve, session::Session},
    stream::{
        inbox::Inbox,
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
    reader: MessageReader<Arc<Inbox>>,
    intake: Intake,
}

/// Does what the records say that the reader finds.
struct Intake {
    session: Arc<Session>,
    serve: Arc<dyn Serve>,
    frames: FrameIntake,
    /// For what has come of a record in parts.
    partial_held: HeldBytes,
    /// The answers that wait for the end of a short message.
    answers: Vec<(RawText, Result<Bytes, ErrorReply>)>,
}

impl SessionReceiver {
    /// For a session whose peer's calls are served by `serve`.
    pub(crate) fn new(session: Arc<Session>, serve: Arc<dyn Serve>) -> Self {
        let limit = session.environment.record_limit.bytes();
        Self {
            reader: MessageReader::new(session.lane().has_control(), limit),
            intake: Intake {
                partial_held: HeldBytes::new(Arc::clone(session.uplink.account()), 0),
                frames: FrameIntake::new(Arc::clone(&session)),
                session,
                serve,
                answers: Vec::new(),
            },
        }
    }
}

impl SessionReceiver {
    /// The lane itself has so much of records that are not whole.
    #[cfg(feature = "webrtc")]
    pub(crate) fn fragments_came(&self, len: usize) {
        self.intake.session.partial_len.store(len, Ordering::Relaxed);
    }
}

impl Receiver for SessionReceiver {
    fn receive(&mut self, message: Bytes) -> Result<(), Violation> {
        let read = self.reader.read(&message, &mut self.intake);
        for (request_id, result) in self.intake.answers.drain(..) {
            self.intake.session.answer(&request_id, result);
        }
        read.map_err(|error| Violation {
            code: error.close_code(),
            reason: error.to_string(),
        })
    }

    fn poll_room(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.intake.frames.poll_room(cx)
    }

    fn partial(&self) -> Partial {
        Partial {
            len: self.reader.partial_len(),
            whole_records: self.reader.whole_records(),
        }
    }

    fn complain(&self, kind: MisbehaviourKind, reason: &dyn Display) {
        let session = &self.intake.session;
        session
            .environment
            .streams
            .complaints
            .about(kind, session.peer(), reason);
    }

    fn closed(&mut self, reason: CloseReason) {
        self.intake.session.end(reason);
    }
}

impl Receive for Intake {
    type Inbox = Arc<Inbox>;

    fn route(&mut self, stream_id: &str) -> Result<Option<(StreamId, Arc<Inbox>)>, ReceiveError> {
        let inbox = self.frames.route(stream_id)?;
        if inbox.is_none() {
            self.session.environment.count_unknown_frames(1);
        }
        Ok(inbox.map(|inbox| (inbox.stream_id().clone(), inbox)))
    }

    fn deliver(&mut self, message: &Bytes, run: Run<Arc<Inbox>>) {
        self.frames.deliver(message, run);
    }

    fn hold_partial(&mut self, len: usize) -> Result<(), Limit> {
        self.partial_held.cover(len)
    }

    fn partial_came(&mut self, len: usize) {
        self.session.partial_len.store(len, Ordering::Relaxed);
        if len == 0 {
            self.partial_held.shrink(0);
        }
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
                debug!(peer = %self.session.peer(), reason = %error, "an envelope is dropped");
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
