use std::{sync::Arc, time::Duration};

use actr_lite_admin::event::Direction;
use actr_lite_engine::{
    latency_first::Attempt,
    outbox::{Accepted, Urgency},
    outgoing::{self, Failure},
};
use actr_lite_net::complaints::Subject;
use actr_lite_quota::Permit;
use actr_lite_wire::{
    error_code::ErrorCode,
    frame::DataStream,
    identity::{ActrId, StreamId},
    peer_text::PeerText,
    record::RecordKind,
    trace_context::TraceContext,
};
use tokio::{task::coop::consume_budget, time::timeout};

use crate::{
    stream::{
        in_use::InUse,
        latency_first::LatencyFirst,
        meters::Metered,
        options::{Delivery, StreamOptions},
        outgoing_streams::OutgoingStream,
        send_error::{EndedStream, SendError},
        sender_turn::SenderTurn,
        stream_meter::StreamMeter,
        uplink::Uplink,
    },
    trace::spans,
};

/// The sending end of a stream, bound to one connection to one receiver.
///
/// Frames are numbered from 1, or go on after the frame that the receiver has: [`StreamOptions::resume_after`]. A
/// sender whose receiver takes nothing waits in [`Self::send`], alone: calls and other streams of the same connection
/// go on. A [`Delivery::LatencyFirst`] stream does not wait but drops its oldest frames. If the sender is dropped
/// before [`Self::finish`], the receiver is told that the stream broke off.
pub struct StreamSender {
    pub(super) uplink: InUse,
    pub(super) stream: Arc<OutgoingStream>,
    /// What it has done.
    pub(super) metered: Metered,
    /// In the receiver's account.
    places: Option<[Permit; 2]>,
    /// What is next, and whether it may leave. The frames of a latency-first stream have their credit in its queue.
    pub(super) outgoing: outgoing::OutgoingStream,
    max_record_len: usize,
    /// How its frames go if they may be dropped.
    latency_first: Option<LatencyFirst>,
    pub(super) turn: SenderTurn,
    /// It is dropped, not finished.
    broke_off: bool,
    /// Why this side ends it before its end.
    pub(super) failed: Option<SendError>,
    ended: bool,
}

impl StreamSender {
    /// Opens a stream, which is a part of the trace if there is one.
    pub(crate) fn open(
        uplink: &Arc<Uplink>,
        stream_id: StreamId,
        options: StreamOptions,
        trace: Option<&TraceContext>,
    ) -> Result<Self, SendError> {
        let Some(in_use) = InUse::enter(uplink) else {
            return Err(uplink.retired());
        };
        let environment = uplink.environment();
        let places = uplink.account().stream();
        let places = places.inspect_err(|limit| environment.tally.limit_reached(limit));
        let places = places.map_err(SendError::TooManyStreams)?;
        let stream = uplink.outgoing().insert(&stream_id)?;
        let meter = StreamMeter::new(
            stream_id.clone(),
            uplink.peer().clone(),
            Direction::Out,
            options.resume_after,
        );
        let span = spans::send_stream(&stream_id, uplink.peer());
        environment.tracer.begin(&span, trace);
        let metered = environment.meters.begin(meter, span);
        let latency_first = match options.delivery {
            Delivery::Reliable => None,
            Delivery::LatencyFirst => Some(LatencyFirst::new(uplink, &stream, &metered)),
        };
        let sender = Self {
            uplink: in_use,
            stream,
            metered,
            places: Some(places),
            outgoing: outgoing::OutgoingStream::new(stream_id, options.resume_after, uplink.lane().has_control()),
            max_record_len: uplink.lane().max_record_len(),
            latency_first,
            turn: SenderTurn::new(uplink.outgoing().turn()),
            broke_off: false,
            failed: None,
            ended: false,
        };
        // The session ends the streams that it knows: one that it ended before this one came is ended here.
        match uplink.gone() {
            Some(error) => Err(error),
            None => Ok(sender),
        }
    }

    /// The stream.
    pub fn stream_id(&self) -> &StreamId {
        &self.stream.stream_id
    }

    /// Who gets it.
    pub fn receiver(&self) -> &ActrId {
        self.uplink.peer()
    }

    /// The stream has this many frames in all, with those that the receiver had before: whoever looks at the node's status
    /// sees how many are still to come. The receiver is not told, and the stream may have more, or fewer.
    #[must_use]
    pub fn expect_frames(self, frames: u64) -> Self {
        self.metered.expect(frames);
        self
    }

    /// The number of the next frame.
    pub fn next_sequence(&self) -> u64 {
        self.outgoing.sequence() + 1
    }

    /// Sends the next frame: it is in the connection's buffer when this returns, and leaves by itself.
    ///
    /// Waits while the receiver has given no credit or the connection is full. A latency-first stream does not: there
    /// the frame then goes into the stream's queue, which drops its oldest frames when it is full.
    ///
    /// # Errors
    /// At once, also when it waits: the receiver is gone or cancelled the stream; the frame is too long.
    ///
    /// # Cancel safety
    /// Dropped before it returns, nothing was sent and the next frame has the same number.
    pub async fn send(&mut self, payload: impl AsRef<[u8]>) -> Result<(), SendError> {
        let payload = payload.as_ref();
        let sequence = self.next_sequence();
        if self.is_too_long(payload.len()) {
            return Err(self.too_long(payload.len()));
        }
        if self.latency_first.is_some() {
            return self.send_or_drop(sequence, payload).await;
        }
        // The usual case needs no wait: only what follows makes this future large.
        if self.try_send(sequence, payload) {
            return Ok(());
        }
        self.send_later(sequence, payload).await
    }

    /// Sends a frame as the application made it, its own sequence number and hints included.
    pub(crate) async fn send_frame(&mut self, frame: &DataStream) -> Result<(), SendError> {
        if frame.hints.is_none() {
            if self.is_too_long(frame.payload.len()) {
                return Err(self.too_long(frame.payload.len()));
            }
            if self.try_send(frame.sequence, &frame.payload) {
                return Ok(());
            }
            return self.send_later(frame.sequence, &frame.payload).await;
        }
        let head = self.outgoing.head_with_hints(frame);
        let len = head.len() + frame.payload.len();
        if len > self.max_record_len {
            return Err(SendError::TooLong {
                len,
                limit: self.max_record_len,
            });
        }
        self.send_record(frame.sequence, &head, &frame.payload).await
    }

    /// How many frames of a latency-first stream were dropped on this side; 0 for any other. What waits in the queue
    /// is not among them: it may leave, or be dropped later.
    pub fn dropped(&self) -> u64 {
        self.latency_first.as_ref().map_or(0, LatencyFirst::dropped)
    }

    /// Tells the receiver that the stream is complete. A receiver that does not speak the extension is not told.
    ///
    /// A latency-first stream first waits for what is in its queue, at most a second; what has not left then is
    /// dropped, and the receiver told how many frames there were with it.
    ///
    /// # Errors
    /// When the receiver is gone or cancelled the stream.
    pub async fn finish(mut self) -> Result<(), SendError> {
        if let Some(latency_first) = &self.latency_first {
            latency_first.flush().await;
        }
        self.finish_here()
    }

    pub(crate) fn finish_here(&mut self) -> Result<(), SendError> {
        let result = self.check();
        self.end();
        result
    }

    /// Waits until the receiver is gone or cancels the stream, and says which.
    ///
    /// # Cancel safety
    /// Dropping it has no effect.
    pub async fn closed(&self) -> SendError {
        self.stream.closed.cancelled().await;
        self.check().err().unwrap_or_else(|| unreachable_end(self.as_ended()))
    }

    /// Sends nothing for this long.
    ///
    /// # Errors
    /// As soon as the receiver is gone or cancels the stream.
    ///
    /// # Cancel safety
    /// Dropping it has no effect.
    pub async fn pause(&self, duration: Duration) -> Result<(), SendError> {
        match timeout(duration, self.closed()).await {
            Ok(error) => Err(error),
            Err(_) => Ok(()),
        }
    }

    #[inline]
    fn is_too_long(&self, payload_len: usize) -> bool {
        self.outgoing.max_len(payload_len) > self.max_record_len
    }

    fn too_long(&self, payload_len: usize) -> SendError {
        let len = self.outgoing.max_len(payload_len);
        SendError::TooLong {
            len,
            limit: self.max_record_len,
        }
    }

    /// Whether it was sent; otherwise there is no credit, no room, no stream any more, or others have their turn.
    #[inline]
    fn try_send(&mut self, sequence: u64, payload: &[u8]) -> bool {
        if !self.outgoing.may_send() || self.turn.is_over() || self.check().is_err() {
            return false;
        }
        let head = self.outgoing.head(sequence, payload.len());
        let head_len = head.len();
        let lane = self.uplink.lane();
        let Ok(accepted) = lane.try_send(RecordKind::StreamReliable, Urgency::Pause, head, payload) else {
            return false;
        };
        self.count(sequence, head_len, payload.len(), accepted);
        true
    }

    #[cold]
    async fn send_later(&mut self, sequence: u64, payload: &[u8]) -> Result<(), SendError> {
        let head = self.outgoing.head(sequence, payload.len()).to_vec();
        self.send_record(sequence, &head, payload).await
    }

    /// Sends a frame of a latency-first stream, or leaves it to the stream's queue.
    async fn send_or_drop(&mut self, sequence: u64, payload: &[u8]) -> Result<(), SendError> {
        if let (Ok(()), Some(latency_first)) = (self.check(), &self.latency_first) {
            let head = self.outgoing.head(sequence, payload.len());
            match latency_first.try_send(head, payload) {
                Attempt::Sent => {
                    self.outgoing.skip_to(sequence);
                    return Ok(());
                }
                Attempt::Congested => {
                    let frame = [head, payload].concat();
                    // A loop that sends without a pause yields to the tasks that make room.
                    consume_budget().await;
                    latency_first.queue(frame);
                    self.outgoing.skip_to(sequence);
                    return Ok(());
                }
                Attempt::Closed => {}
            }
        }
        // The lane closes a moment before the session says why.
        let error = self.closed().await;
        self.end();
        Err(error)
    }

    #[inline]
    pub(super) fn count(&mut self, sequence: u64, head_len: usize, payload_len: usize, accepted: Accepted) {
        let len = head_len + payload_len;
        self.outgoing.sent(sequence, len);
        self.metered.sent(payload_len);
        self.metered.set_credit(self.outgoing.credit());
        self.turn.count(len, accepted);
    }

    #[inline]
    pub(super) fn check(&self) -> Result<(), SendError> {
        match self.stream.end.get() {
            None => Ok(()),
            Some(end) => Err(end.clone().of(self.as_ended())),
        }
    }

    pub(super) fn as_ended(&self) -> EndedStream {
        EndedStream {
            stream_id: self.stream.stream_id.clone(),
            frames: self.outgoing.frames(),
        }
    }

    /// Sends the stream's last record, and forgets the stream.
    pub(super) fn end(&mut self) {
        if std::mem::replace(&mut self.ended, true) {
            return;
        }
        if let Some(latency_first) = &self.latency_first {
            latency_first.end();
            self.metered.set_dropped(latency_first.dropped());
        }
        self.note_end();
        let breaks_off = self.broke_off && self.stream.end.get().is_none();
        let failure = match (&self.failed, breaks_off) {
            (Some(failed), _) => Some(Failure {
                code: failed.code(),
                message: PeerText::of(failed),
            }),
            (None, false) => None,
            (None, true) => {
                let (code, message) = match self.uplink.environment().is_stopping() {
                    true => (ErrorCode::Unavailable, "the sender is shutting down"),
                    false => (
                        ErrorCode::Internal,
                        "the sender dropped the stream before it was finished",
                    ),
                };
                // Nothing else reports it. A task that panics reports more than this would.
                if !std::thread::panicking() {
                    let ended = self.as_ended();
                    let subject = Subject {
                        stream: Some(&ended.stream_id),
                        frames: Some(ended.frames),
                        ..Subject::of(self.uplink.peer()).because(&message)
                    };
                    let complaints = &self.uplink.environment().complaints;
                    complaints.remark(subject, &format_args!("{ended}{message}"));
                }
                Some(Failure {
                    code,
                    message: message.into(),
                })
            }
        };
        let last = self.outgoing.last_record(failure);
        self.uplink
            .outgoing()
            .remove(&self.stream, || self.uplink.lane().send_control(&last));
        self.places = None;
    }
}

impl StreamSender {
    fn note_end(&self) {
        let failed = self.failed.as_ref().or_else(|| self.stream.end.get());
        match failed {
            Some(SendError::Cancelled { .. }) => self.metered.is_over("cancelled", || words(failed)),
            Some(SendError::PeerGone { .. }) => self.metered.is_over("peer_gone", || words(failed)),
            Some(SendError::Stalled { .. }) => self.metered.is_over("stalled", || words(failed)),
            Some(_) => self.metered.is_over("failed", || words(failed)),
            None if self.broke_off => self.metered.is_over("broke_off", || "the sender dropped it".into()),
            None => self.metered.is_over("finished", || "the sender finished".into()),
        }
    }
}

fn words(error: Option<&SendError>) -> String {
    error.map_or_else(String::new, |error| PeerText::of(error).to_string())
}

impl Drop for StreamSender {
    fn drop(&mut self) {
        self.broke_off = true;
        self.end();
    }
}

/// For an end without a reason, which does not occur.
fn unreachable_end(stream: EndedStream) -> SendError {
    SendError::Cancelled {
        stream,
        reason: "the stream ended".into(),
    }
}
