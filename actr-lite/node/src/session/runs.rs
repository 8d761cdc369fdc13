use std::{ops::Range, sync::Arc, vec::Drain};

use actr_lite_wire::record::Span;
use bytes::{Bytes, BytesMut};

use crate::stream::inbox::Inbox;

/// How many streams' frames are gathered before they are handed over: the search for a frame's stream is a walk over
/// them, from the latest.
const MAX_RUNS: usize = 64;

/// The frames of one message, gathered stream by stream: a look-up, a lock and a wake serve all frames of a stream.
#[derive(Default)]
pub(super) struct Runs(Vec<Run>);

/// Frames of one stream, in their order.
pub(super) struct Run {
    pub(super) inbox: Arc<Inbox>,
    /// The latest ones, which stand side by side in the message.
    range: Range<usize>,
    /// Those before, where others stand in between.
    before: BytesMut,
    pub(super) last_len: usize,
    pub(super) frames: u64,
}

impl Runs {
    /// Adds a frame to the run of its stream; false if there is none yet.
    #[inline]
    pub(super) fn extend(&mut self, stream_id: &[u8], message: &[u8], span: Span) -> bool {
        let mut runs = self.0.iter_mut().rev();
        let Some(run) = runs.find(|run| run.inbox.stream_id().as_str().as_bytes() == stream_id) else {
            return false;
        };
        if run.range.end != span.start {
            run.before.extend_from_slice(&message[run.range.clone()]);
            run.range.start = span.start;
        }
        run.range.end = span.end;
        run.last_len = span.len();
        run.frames += 1;
        true
    }

    /// Starts the run of a stream.
    pub(super) fn start(&mut self, inbox: Arc<Inbox>, span: Span) {
        let range = span.start..span.end;
        self.0.push(Run {
            inbox,
            range,
            before: BytesMut::new(),
            last_len: span.len(),
            frames: 1,
        });
    }

    pub(super) fn is_full(&self) -> bool {
        self.0.len() >= MAX_RUNS
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn drain(&mut self) -> Drain<'_, Run> {
        self.0.drain(..)
    }
}

impl Run {
    /// The bytes that hold the frames, and where they stand in them: the message itself if they are side by side.
    pub(super) fn records(&mut self, message: &Bytes) -> (Bytes, Range<usize>) {
        if self.before.is_empty() {
            return (message.clone(), self.range.clone());
        }
        self.before.extend_from_slice(&message[self.range.clone()]);
        let records = self.before.split().freeze();
        let range = 0..records.len();
        (records, range)
    }
}
