use std::{
    ops::Range,
    sync::Arc,
    task::{Context, Poll},
};

use actr_lite_engine::{
    inbox::Pushed,
    incoming::{Finished, Route},
    receive_error::ReceiveError,
    runs::Run,
};
use actr_lite_net::complaints::Subject;
use actr_lite_wire::{
    acl::AclRefusal,
    control::Control,
    identity::{ActrId, StreamId},
    peer_text::PeerText,
};
use bytes::Bytes;
use thiserror::Error;
use tracing::debug;

use crate::{
    session::session::Session,
    stream::{
        inbox::{Inbox, Unbound},
        stream_end::StreamEnd,
    },
};

/// How many refused streams of one connection are logged at the usual level: more are a flood.
const MAX_REFUSALS_TOLD: usize = 10;

/// Takes the frames that a peer sends to the streams that wait for them.
pub(super) struct FrameIntake {
    session: Arc<Session>,
    /// Whose queue is full, with a sender that knows no credit.
    full: Option<Arc<Inbox>>,
    /// How many streams were refused.
    refused: usize,
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

impl FrameIntake {
    pub(super) fn new(session: Arc<Session>) -> Self {
        Self {
            session,
            full: None,
            refused: 0,
        }
    }

    /// Ready when more may be received.
    pub(super) fn poll_room(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(inbox) = &self.full else {
            return Poll::Ready(());
        };
        let room = inbox.poll_room(cx);
        if room.is_ready() {
            self.full = None;
        }
        room
    }

    /// The inbox of a stream. If it is not registered, the sender is told and this is `None`.
    pub(super) fn route(&mut self, stream_id: &str) -> Result<Option<Arc<Inbox>>, ReceiveError> {
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
        let access = &session.environment.access;
        match session.environment.subscriptions.bind(stream_id, &session.incoming) {
            Ok(inbox) => match access.denial(session.peer()) {
                None => Ok(inbox),
                Some(denial) => {
                    inbox.end(StreamEnd::Denied(denial.clone()));
                    Err(StreamRefusal::Denied(denial))
                }
            },
            Err(Unbound::Unknown) => Err(StreamRefusal::Unknown),
            Err(Unbound::OtherSender) => Err(StreamRefusal::OtherSender {
                sender: session.peer().clone(),
                receiver: access.own_id(),
            }),
        }
    }

    fn refuse(&mut self, stream_id: StreamId, refusal: &StreamRefusal) {
        let session = &self.session;
        if !session.incoming.refuse(stream_id.clone()) {
            return;
        }
        let peer = session.peer();
        self.refused += 1;
        if self.refused <= MAX_REFUSALS_TOLD {
            let subject = Subject {
                stream: Some(&stream_id),
                ..Subject::of(peer).because(refusal)
            };
            let line = format_args!("{peer} sends stream {stream_id}: {refusal}; its frames are dropped");
            session.environment.streams.complaints.remark(subject, &line);
        } else {
            debug!(%peer, stream = %stream_id, reason = %refusal, "one more stream is refused");
        }
        let reason = PeerText::of(refusal);
        session.lane().send_control(&Control::Cancel { stream_id, reason });
    }

    /// Hands over the frames of one stream.
    pub(super) fn deliver(&mut self, message: &Bytes, mut run: Run<Arc<Inbox>>) {
        let (message, range) = run.records(message);
        if self.push(&run.inbox, &message, range.clone(), run.last_len) {
            return;
        }
        // An unsubscribed stream is cancelled already; a sender that ignored its credit has not been told yet.
        let stream_id = run.inbox.stream_id();
        self.session.incoming.cancel(stream_id, "the subscription is over");
        // If the sender knows no cancel, the stream may have been requested again, and this may be its beginning.
        if !self.session.lane().has_control()
            && let Ok(Some(next)) = self.route(stream_id.as_str())
            && self.push(&next, &message, range, run.last_len)
        {
            return;
        }
        self.session.environment.count_unknown_frames(run.frames);
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

    /// The sender says that its stream is over.
    pub(super) fn finish(&mut self, stream_id: &StreamId, end: StreamEnd) {
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
