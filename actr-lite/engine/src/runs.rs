//! The frames of one message, gathered stream by stream.

use std::{ops::Range, vec::Drain};

use actr_lite_wire::{identity::StreamId, record::Span};
use bytes::{Bytes, BytesMut};

/// How many streams' frames are gathered before they are handed over: the search for a frame's stream is a walk over
/// them, from the latest.
const MAX_RUNS: usize = 64;

/// The frames of one message, gathered stream by stream: a look-up, a lock and a wake serve all frames of a stream.
/// `Inbox` is where a stream's frames go.
#[derive(Debug)]
pub struct Runs<Inbox>(Vec<Run<Inbox>>);

/// Frames of one stream, in their order.
#[derive(Debug)]
pub struct Run<Inbox> {
    /// The stream.
    pub stream_id: StreamId,
    /// Where they go.
    pub inbox: Inbox,
    /// The latest ones, which stand side by side in the message.
    range: Range<usize>,
    /// Those before, where others stand in between.
    before: BytesMut,
    /// The length of the last record.
    pub last_len: usize,
    /// How many there are.
    pub frames: u64,
}

impl<Inbox> Default for Runs<Inbox> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<Inbox> Runs<Inbox> {
    /// Adds a frame to the run of its stream; false if there is none yet.
    #[inline]
    pub fn extend(&mut self, stream_id: &[u8], message: &[u8], span: Span) -> bool {
        let mut runs = self.0.iter_mut().rev();
        let Some(run) = runs.find(|run| run.stream_id.as_str().as_bytes() == stream_id) else {
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
    pub fn start(&mut self, stream_id: StreamId, inbox: Inbox, span: Span) {
        self.0.push(Run {
            stream_id,
            inbox,
            range: span.start..span.end,
            before: BytesMut::new(),
            last_len: span.len(),
            frames: 1,
        });
    }

    /// Whether they are to be handed over before another stream's run starts.
    pub fn is_full(&self) -> bool {
        self.0.len() >= MAX_RUNS
    }

    /// All of them, in the order of their streams' first frames.
    pub fn drain(&mut self) -> Drain<'_, Run<Inbox>> {
        self.0.drain(..)
    }
}

impl<Inbox> Run<Inbox> {
    /// The bytes that hold the frames, and where they stand in them: the message itself if they are side by side.
    pub fn records(&mut self, message: &Bytes) -> (Bytes, Range<usize>) {
        if self.before.is_empty() {
            return (message.clone(), self.range.clone());
        }
        self.before.extend_from_slice(&message[self.range.clone()]);
        let records = self.before.split().freeze();
        let range = 0..records.len();
        (records, range)
    }
}

#[cfg(test)]
mod tests {
    use actr_lite_wire::record::{self, RecordKind};
    use proptest::{collection::vec, prelude::*};

    use super::*;

    proptest! {
        #[test]
        fn records_stay_in_the_order_of_their_stream(streams in vec((0usize..4, 0usize..20), 1..50)) {
            let mut message = BytesMut::new();
            let mut expected = vec![Vec::new(); 4];
            for (stream, len) in &streams {
                let body = vec![message.len() as u8; *len];
                let record = [&record::header(RecordKind::StreamReliable, *len)[..], &body].concat();
                message.extend_from_slice(&record);
                expected[*stream].push(record);
            }
            let message = message.freeze();
            let mut runs = Runs::default();
            for (span, (stream, _)) in record::spans(&message).zip(&streams) {
                let (span, name) = (span.unwrap(), stream.to_string());
                if !runs.extend(name.as_bytes(), &message, span) {
                    runs.start(name.parse().unwrap(), *stream, span);
                }
            }
            for mut run in runs.drain() {
                let (bytes, range) = run.records(&message);
                let expected = &expected[run.inbox];
                prop_assert_eq!(&bytes[range], &expected.concat());
                prop_assert_eq!(run.frames, expected.len() as u64);
                prop_assert_eq!(run.last_len, expected.last().unwrap().len());
            }
        }
    }
}
