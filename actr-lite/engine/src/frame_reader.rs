//! Reads the frames of one stream out of its records, in order and once each.

use std::{mem, ops::Range};

use actr_lite_wire::{
    frame::{self, DataStream, FrameDecoder, FrameError},
    identity::StreamId,
    record::{self, RecordError, RecordKind},
    sequence::{Arrival, Observed, SequenceFilter, SequenceTally},
};
use bytes::Bytes;
use thiserror::Error;

/// The frames of one stream, out of runs of records.
///
/// Frames of a reliable stream are numbered from 1 and come once each. Those of a latency-first stream may leave numbers
/// out, which are counted.
#[derive(Debug)]
pub struct FrameReader {
    stream_id: StreamId,
    run: Bytes,
    /// How much of `run` was read.
    at: usize,
    decoder: FrameDecoder,
    filter: SequenceFilter,
    /// Counts the frames of a latency-first stream; unused for a reliable one.
    tally: SequenceTally,
    dropped: u64,
}

/// What a reader found.
#[derive(Debug, PartialEq)]
pub enum Step {
    /// The next frame.
    Frame(DataStream),
    /// A frame that came before; this is its number.
    Duplicate(u64),
    /// A frame is missing: the stream is of no use any more.
    Gap {
        /// The number of the one that is missing.
        expected: u64,
        /// The number of the one that came.
        came: u64,
    },
    /// The run is read; it had so many bytes.
    Read(usize),
}

/// Why records can't be read as frames.
#[derive(Debug, Error)]
pub enum ReadError {
    /// There is no whole record.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// A record is no frame.
    #[error(transparent)]
    Frame(#[from] FrameError),
}

impl FrameReader {
    /// For a stream of which the frames up to the number `last` came already.
    pub fn behind(stream_id: StreamId, last: u64) -> Self {
        Self {
            run: Bytes::new(),
            at: 0,
            decoder: FrameDecoder::new(&stream_id),
            stream_id,
            filter: SequenceFilter::behind(last),
            tally: SequenceTally::behind(last),
            dropped: 0,
        }
    }

    /// Gives it the next records, after [`Step::Read`].
    pub fn put(&mut self, run: Bytes) {
        debug_assert!(self.run.is_empty(), "a run is given up that was not read");
        (self.run, self.at) = (run, 0);
    }

    /// Drops what was not read.
    pub fn discard(&mut self) {
        (self.run, self.at) = (Bytes::new(), 0);
    }

    /// The next frame if it is the one that is due of a reliable stream, with a number and a payload and nothing else: the
    /// usual case, which is spared what else there can be. `None` says nothing about what [`Self::step`] finds.
    #[inline]
    pub fn due(&mut self) -> Option<DataStream> {
        if self.run.get(self.at) != Some(&(RecordKind::StreamReliable as u8)) || self.tally.received() > 0 {
            return None;
        }
        let (sequence, payload, end) = self.plain()?;
        let is_next = self.filter.last().checked_add(1) == Some(sequence);
        if !is_next || self.filter.observe(sequence) != Observed::Deliver {
            return None;
        }
        Some(self.take_plain(sequence, payload, end))
    }

    /// The next step. After [`Step::Read`] it needs the next run.
    ///
    /// # Errors
    /// When the records are none, or hold no frames: nothing of this stream can be read any more.
    #[inline]
    pub fn step(&mut self) -> Result<Step, ReadError> {
        if self.at == self.run.len() {
            self.at = 0;
            return Ok(Step::Read(mem::take(&mut self.run).len()));
        }
        let is_latency_first = self.run.get(self.at) == Some(&(RecordKind::StreamLatencyFirst as u8));
        let frame = match self.next_plain() {
            Some(frame) => frame,
            None => self.next_in_run()?,
        };
        Ok(match self.observe(frame.sequence, is_latency_first) {
            Observed::Deliver => Step::Frame(frame),
            Observed::Duplicate => Step::Duplicate(frame.sequence),
            Observed::Gap { expected } => Step::Gap {
                expected,
                came: frame.sequence,
            },
        })
    }

    /// What to do with a frame of this number. Those of a latency-first stream may follow dropped ones.
    #[inline]
    fn observe(&mut self, sequence: u64, is_latency_first: bool) -> Observed {
        if !is_latency_first && self.tally.received() == 0 {
            return self.filter.observe(sequence);
        }
        match self.tally.observe(sequence) {
            Arrival::Gap(_) => self.dropped = self.tally.missing(self.tally.last()),
            Arrival::InOrder => {}
            Arrival::Repeated => return Observed::Duplicate,
        }
        Observed::Deliver
    }

    /// The next frame, if it has only a number and a payload.
    #[inline]
    fn next_plain(&mut self) -> Option<DataStream> {
        let (sequence, payload, end) = self.plain()?;
        Some(self.take_plain(sequence, payload, end))
    }

    /// The number of such a frame, where its payload stands in the run, and where its record ends.
    #[inline]
    fn plain(&self) -> Option<(u64, Range<usize>, usize)> {
        let (body, end) = record::body_at(&self.run, self.at)?;
        let (sequence, payload) = self.decoder.decode_plain(body)?;
        let start = self.at + record::HEADER_LEN;
        Some((sequence, start + payload.start..start + payload.end, end))
    }

    #[inline]
    fn take_plain(&mut self, sequence: u64, payload: Range<usize>, end: usize) -> DataStream {
        self.at = end;
        DataStream {
            stream_id: self.stream_id.clone(),
            sequence,
            payload: self.run.slice(payload),
            hints: None,
        }
    }

    /// The next frame, whatever it has.
    #[cold]
    fn next_in_run(&mut self) -> Result<DataStream, ReadError> {
        let span = record::span_at(&self.run, self.at)?;
        let start = span.body_start();
        let parts = frame::decode(&self.run[start..span.end])?;
        self.at = span.end;
        Ok(DataStream {
            stream_id: self.stream_id.clone(),
            sequence: parts.sequence,
            payload: self.run.slice(start + parts.payload.start..start + parts.payload.end),
            hints: parts.hints,
        })
    }

    /// The stream is over, with so many frames by its sender's count: those that are missing behind the last one that came
    /// count as dropped, unless the stream is reliable.
    pub fn finish(&mut self, frames: u64) {
        // A stream without any frame may have been latency-first.
        if self.tally.received() > 0 || !self.filter.has_begun() {
            self.dropped = self.tally.missing(frames);
        }
    }

    /// How many frames arrived again.
    pub fn duplicates(&self) -> u64 {
        self.filter.duplicates() + self.tally.out_of_order()
    }

    /// How many frames of a latency-first stream are missing, as far as its numbers tell.
    pub fn dropped(&self) -> u64 {
        self.dropped
    }
}

#[cfg(test)]
mod tests;
