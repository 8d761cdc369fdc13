use std::{
    mem,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use actr_lite_wire::{
    frame::{self, DataStream, FrameDecoder},
    identity::{ActrId, StreamId},
    record::{self, RecordKind},
    sequence::{Arrival, Observed, SequenceFilter, SequenceTally},
};
use bytes::Bytes;
use futures_util::Stream;

use crate::stream::{inbox::Inbox, stream_end::StreamEnd, subscriptions::Subscriptions};

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
    run: Bytes,
    /// How much of `run` was handed over.
    at: usize,
    decoder: FrameDecoder,
    filter: SequenceFilter,
    /// Counts the frames of a latency-first stream, which may leave numbers out; unused for a reliable one.
    tally: SequenceTally,
}

impl Subscription {
    /// Of a stream of which the frames up to the number `last` came already.
    pub(crate) fn new(subscriptions: Arc<Subscriptions>, inbox: Arc<Inbox>, last: u64) -> Self {
        let decoder = FrameDecoder::new(inbox.stream_id());
        Self {
            subscriptions,
            inbox,
            run: Bytes::new(),
            at: 0,
            decoder,
            filter: SequenceFilter::behind(last),
            tally: SequenceTally::default(),
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
        self.filter.duplicates()
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
            (self.run, self.at) = (Bytes::new(), 0);
        }
        loop {
            while self.at == self.run.len() {
                let taken = mem::take(&mut self.run).len();
                self.at = 0;
                match ready!(self.inbox.poll_run(cx, taken)) {
                    Some(run) => self.run = run,
                    None => {
                        self.count_tail();
                        return Poll::Ready(None);
                    }
                }
            }
            let is_latency_first = self.run.get(self.at) == Some(&(RecordKind::StreamLatencyFirst as u8));
            let frame = match self.next_plain().map_or_else(|| self.next_in_run(), Ok) {
                Ok(frame) => frame,
                Err(error) => return self.end_here(StreamEnd::Protocol(error.into())),
            };
            match self.observe(frame.sequence, is_latency_first) {
                Observed::Deliver => return Poll::Ready(Some(frame)),
                Observed::Duplicate => {}
                Observed::Gap { expected } => {
                    let came = frame.sequence;
                    return self.end_here(StreamEnd::Gap { expected, came });
                }
            }
        }
    }

    /// What to do with a frame of this number. Those of a latency-first stream may follow dropped ones.
    #[inline]
    fn observe(&mut self, sequence: u64, is_latency_first: bool) -> Observed {
        if !is_latency_first && self.tally.received() == 0 {
            return self.filter.observe(sequence);
        }
        if let Arrival::Gap(_) = self.tally.observe(sequence) {
            self.inbox.set_dropped(self.tally.missing(self.tally.last()));
        }
        Observed::Deliver
    }

    #[cold]
    fn end_here(&mut self, end: StreamEnd) -> Poll<Option<DataStream>> {
        (self.run, self.at) = (Bytes::new(), 0);
        self.subscriptions.unsubscribe(&self.inbox, end);
        Poll::Ready(None)
    }

    /// Counts what is missing behind the last frame that came.
    #[cold]
    fn count_tail(&self) {
        let (Some(StreamEnd::Finished { frames }) | Some(StreamEnd::Failed { frames, .. })) = self.inbox.ended() else {
            return;
        };
        // A stream without any frame may have been latency-first.
        let is_latency_first = self.tally.received() > 0 || !self.filter.has_begun();
        if is_latency_first && !self.inbox.is_abandoned() {
            self.inbox.set_dropped(self.tally.missing(frames));
        }
    }

    /// The next frame, if it has only a number and a payload.
    #[inline]
    fn next_plain(&mut self) -> Option<DataStream> {
        let (body, end) = record::body_at(&self.run, self.at)?;
        let (sequence, payload) = self.decoder.decode_plain(body)?;
        let start = self.at + record::HEADER_LEN;
        let payload = self.run.slice(start + payload.start..start + payload.end);
        self.at = end;
        Some(DataStream {
            stream_id: self.inbox.stream_id().clone(),
            sequence,
            payload,
            hints: None,
        })
    }

    /// The next frame, whatever it has.
    #[cold]
    fn next_in_run(&mut self) -> Result<DataStream, String> {
        let span = record::span_at(&self.run, self.at).map_err(|error| error.to_string())?;
        let start = span.body_start();
        let parts = frame::decode(&self.run[start..span.end]).map_err(|error| error.to_string())?;
        self.at = span.end;
        Ok(DataStream {
            stream_id: self.inbox.stream_id().clone(),
            sequence: parts.sequence,
            payload: self.run.slice(start + parts.payload.start..start + parts.payload.end),
            hints: parts.hints,
        })
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
    }
}
