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
    sequence::{Arrival, SequenceTally},
};
use bytes::Bytes;
use futures_util::Stream;

use super::{Inbox, StreamEnd};
use crate::node_state::NodeState;

/// The receiving end of a stream: its frames in the order in which they were sent.
///
/// It yields `None` once when the stream is over; [`Self::end`] then says how. Taking frames gives the sender credit:
/// a subscription that nobody polls holds at most a window of frames. Dropping it unsubscribes and stops the sender.
pub struct Subscription {
    node: Arc<NodeState>,
    inbox: Arc<Inbox>,
    run: Bytes,
    /// How much of `run` was handed over.
    at: usize,
    decoder: FrameDecoder,
    sender: Option<ActrId>,
    /// The frames that came as latency-first.
    tally: SequenceTally,
}

impl Subscription {
    pub(crate) fn new(node: Arc<NodeState>, inbox: Arc<Inbox>) -> Self {
        let decoder = FrameDecoder::new(inbox.stream_id());
        Self {
            node,
            inbox,
            run: Bytes::new(),
            at: 0,
            decoder,
            sender: None,
            tally: SequenceTally::default(),
        }
    }

    /// The stream.
    pub fn stream_id(&self) -> &StreamId {
        self.inbox.stream_id()
    }

    /// Takes frames from this actor only, and ends when the connection to it does, even before the first frame.
    ///
    /// Say it before the stream is asked for. Otherwise the sender is the first to send a frame of this id among those
    /// whom this node has called since it registered the stream, and the caller of the context that registered it.
    /// Frames of others, and of those whom this node's access control list denies, are dropped, and their senders told.
    pub fn expect_from(&self, peer: &ActrId) {
        self.inbox.expect_from(peer.clone());
    }

    /// Who sends; known from the first frame on.
    pub fn sender(&self) -> Option<&ActrId> {
        self.sender.as_ref()
    }

    /// How the stream ended, once it has. Frames may still be there to be taken.
    pub fn end(&self) -> Option<StreamEnd> {
        self.inbox.ended()
    }

    /// How many frames of a latency-first stream are missing among those numbered up to the last one taken; when the
    /// stream is over and its sender said how many there were, among all. 0 for a reliable stream.
    ///
    /// They were dropped by the sender, which counts its own, or here, where the sender knows no credit.
    pub fn dropped(&self) -> u64 {
        self.inbox.dropped()
    }

    pub(crate) fn inbox(&self) -> &Arc<Inbox> {
        &self.inbox
    }

    /// The next frame; none when the stream is over.
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
            if self.sender.is_none() {
                self.sender = self.inbox.source().map(|session| session.peer().clone());
            }
        }
        if let Some((body, end)) = record::body_at(&self.run, self.at)
            && let Some((sequence, payload)) = self.decoder.decode_plain(body)
        {
            let start = self.at + record::HEADER_LEN;
            let payload = self.run.slice(start + payload.start..start + payload.end);
            if self.run.get(self.at) == Some(&(RecordKind::StreamLatencyFirst as u8)) {
                self.count(sequence);
            }
            self.at = end;
            let stream_id = self.inbox.stream_id().clone();
            return Poll::Ready(Some(DataStream {
                stream_id,
                sequence,
                payload,
                hints: None,
            }));
        }
        match self.next_in_run() {
            Ok(frame) => Poll::Ready(Some(frame)),
            Err(error) => {
                (self.run, self.at) = (Bytes::new(), 0);
                self.node.unsubscribe(&self.inbox, StreamEnd::Protocol(error.into()));
                Poll::Ready(None)
            }
        }
    }

    /// Counts a frame that may follow dropped ones.
    fn count(&mut self, sequence: u64) {
        if let Arrival::Gap(_) = self.tally.observe(sequence) {
            self.inbox.set_dropped(self.tally.missing(self.tally.last()));
        }
    }

    /// Counts what is missing behind the last frame that came.
    #[cold]
    fn count_tail(&self) {
        let (Some(StreamEnd::Finished { frames }) | Some(StreamEnd::Failed { frames, .. })) = self.inbox.ended() else {
            return;
        };
        // A stream of which nothing came may have been one.
        let is_latency_first = self.tally.received() > 0 || self.sender.is_none();
        if is_latency_first && !self.inbox.is_abandoned() {
            self.inbox.set_dropped(self.tally.missing(frames));
        }
    }

    /// The next frame, whatever it has.
    #[cold]
    fn next_in_run(&mut self) -> Result<DataStream, String> {
        let span = record::span_at(&self.run, self.at).map_err(|error| error.to_string())?;
        let start = span.body_start();
        let parts = frame::decode(&self.run[start..span.end]).map_err(|error| error.to_string())?;
        self.at = span.end;
        if span.kind == RecordKind::StreamLatencyFirst {
            self.count(parts.sequence);
        }
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
        self.node.unsubscribe(&self.inbox, StreamEnd::Cancelled);
    }
}
