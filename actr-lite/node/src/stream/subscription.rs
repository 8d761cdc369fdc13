use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use actr_lite_admin::event::Direction;
use actr_lite_engine::frame_reader::{FrameReader, Step};
use actr_lite_wire::{
    frame::DataStream,
    identity::{ActrId, StreamId},
    peer_text::PeerText,
};
use bytes::Bytes;
use futures_util::Stream;
use tracing::Span;

use crate::stream::{
    inbox::Inbox,
    meters::{Metered, Meters},
    stream_end::StreamEnd,
    stream_meter::{StreamCounts, StreamMeter},
    subscriptions::Subscriptions,
};

/// The receiving end of a stream: its frames in the order in which they were sent.
///
/// It yields `None` once when the stream is over; [`Self::end`] then says how. Frames of a reliable stream are numbered
/// from 1, and arrive once each: a repeated one is dropped, and a missing one ends the stream ([`StreamEnd::Gap`]).
/// Only the named sender feeds it; frames of others are dropped, and their senders told. It ends when the connection to
/// the sender does, even before the first frame.
///
/// Taking frames gives the sender credit: a subscription that nobody polls holds at most a window of frames. Dropping it
/// unsubscribes and stops the sender.
pub struct Subscription {
    subscriptions: Arc<Subscriptions>,
    inbox: Arc<Inbox>,
    reader: FrameReader,
    metered: Metered,
    taken: StreamCounts,
}

impl Subscription {
    /// Of a stream of which the frames up to the number `last` came already. The span is its own.
    pub(crate) fn new(
        subscriptions: Arc<Subscriptions>,
        inbox: Arc<Inbox>,
        meters: &Arc<Meters>,
        last: u64,
        span: Span,
    ) -> Self {
        let (stream_id, sender) = (inbox.stream_id().clone(), inbox.sender().clone());
        let meter = StreamMeter::new(stream_id, sender, Direction::In, last);
        Self {
            metered: meters.begin(meter, span),
            taken: StreamCounts::default(),
            subscriptions,
            reader: FrameReader::behind(inbox.stream_id().clone(), last),
            inbox,
        }
    }

    /// The stream.
    pub fn stream_id(&self) -> &StreamId {
        self.inbox.stream_id()
    }

    /// The only actor that may feed it.
    pub fn sender(&self) -> &ActrId {
        self.inbox.sender()
    }

    /// How many frames arrived again and were dropped.
    pub fn duplicates(&self) -> u64 {
        self.reader.duplicates()
    }

    /// How the stream ended, once it has. Frames may still be there to be taken.
    pub fn end(&self) -> Option<StreamEnd> {
        self.inbox.ended()
    }

    /// How many frames of a latency-first stream are missing among those numbered up to the last one taken; when the
    /// stream is over and its sender said how many there were, among all. 0 for a reliable stream.
    ///
    /// They were dropped by the sender, which counts its own, or here, if the sender knows no credit.
    pub fn dropped(&self) -> u64 {
        self.inbox.dropped()
    }

    pub(crate) fn inbox(&self) -> &Arc<Inbox> {
        &self.inbox
    }

    /// What it has done so far.
    pub(crate) fn meter(&self) -> &StreamMeter {
        &self.metered
    }

    /// The next frame; `None` when the stream is over.
    ///
    /// # Cancel safety
    /// Dropping it loses no frame.
    pub async fn next(&mut self) -> Option<DataStream> {
        std::future::poll_fn(|cx| self.poll_frame(cx)).await
    }

    #[inline]
    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<DataStream>> {
        if self.inbox.is_abandoned() {
            self.reader.discard();
        }
        if let Some(frame) = self.reader.due() {
            self.count(&frame);
            return Poll::Ready(Some(frame));
        }
        self.poll_other(cx)
    }

    /// What is no plain frame of a reliable stream in its order.
    fn poll_other(&mut self, cx: &mut Context<'_>) -> Poll<Option<DataStream>> {
        loop {
            match self.reader.step() {
                Ok(Step::Frame(frame)) => {
                    self.note_dropped();
                    self.count(&frame);
                    return Poll::Ready(Some(frame));
                }
                Ok(Step::Duplicate(_)) => {}
                Ok(Step::Gap { expected, came }) => return self.end_here(StreamEnd::Gap { expected, came }),
                Ok(Step::Read(len)) => match ready!(self.poll_run(cx, len)) {
                    Some(run) => self.reader.put(run),
                    None => {
                        self.count_tail();
                        return Poll::Ready(None);
                    }
                },
                Err(error) => return self.end_here(StreamEnd::Protocol(PeerText::of(&error))),
            }
        }
    }

    #[inline]
    fn count(&mut self, frame: &DataStream) {
        self.taken.frames += 1;
        self.taken.bytes += frame.payload.len() as u64;
    }

    fn poll_run(&mut self, cx: &mut Context<'_>, taken: usize) -> Poll<Option<Bytes>> {
        self.show_taken();
        self.inbox.poll_run(cx, taken)
    }

    /// Once for each run: nobody needs to know it more exactly.
    fn show_taken(&mut self) {
        self.taken.duplicates = self.reader.duplicates();
        self.taken.dropped = self.inbox.dropped();
        self.metered.taken(self.taken);
    }

    /// Tells what is missing of a latency-first stream.
    #[inline]
    fn note_dropped(&self) {
        let dropped = self.reader.dropped();
        if dropped > 0 {
            self.inbox.set_dropped(dropped);
        }
    }

    #[cold]
    fn end_here(&mut self, end: StreamEnd) -> Poll<Option<DataStream>> {
        self.reader.discard();
        self.subscriptions.unsubscribe(&self.inbox, end);
        Poll::Ready(None)
    }

    /// Counts what is missing behind the last frame that came.
    #[cold]
    fn count_tail(&mut self) {
        let (Some(StreamEnd::Finished { frames }) | Some(StreamEnd::Failed { frames, .. })) = self.inbox.ended() else {
            return;
        };
        if !self.inbox.is_abandoned() {
            self.reader.finish(frames);
            self.note_dropped();
        }
    }
}

impl Stream for Subscription {
    type Item = DataStream;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<DataStream>> {
        self.poll_frame(cx)
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.subscriptions.unsubscribe(&self.inbox, StreamEnd::Cancelled);
        self.show_taken();
        if let Some(end) = self.inbox.ended() {
            self.metered.is_over(end.word(), || PeerText::of(&end).to_string());
        }
    }
}
