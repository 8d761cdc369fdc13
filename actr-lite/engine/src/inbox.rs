//! What has come of one stream and was not taken yet, and the credit that its sender gets.

use std::{collections::VecDeque, mem, ops::Range, time::Duration};

use actr_lite_wire::{
    credit::{CreditError, ReceiveWindow},
    record::RecordKind,
};
use bytes::{Bytes, BytesMut};

/// How much of a stream waits when its sender knows no credit: then the connection is not read until the application
/// has taken some, and TCP slows the sender down. As much as a window grows to.
pub const MAX_WAITING_WITHOUT_CREDIT: usize = 1 << 20;

/// Shorter runs are copied together while nobody takes them: each would hold the whole message that it came in.
const COPY_BELOW: usize = 16 << 10;

/// A run that is less than this part of its message is copied too: a slice would hold all the rest.
const MAX_HELD_RATIO: usize = 4;

/// How much is copied together before it counts as a run: a reader gives credit back run by run.
const MAX_TAIL: usize = 64 << 10;

/// The records of one stream that came and were not taken yet. `End` is how a stream can end.
///
/// It holds at most a window and one record, or, of a sender that knows no credit, what its bound says and one run.
#[derive(Debug)]
pub struct Inbox<End> {
    /// Records of this stream, headers included.
    runs: VecDeque<Bytes>,
    /// Short runs, copied together; they come after `runs`.
    tail: BytesMut,
    waiting: usize,
    max_waiting_without_credit: usize,
    /// A record came that must not be dropped. Used only if the sender knows no credit.
    has_reliable: bool,
    window: ReceiveWindow,
    end: Option<End>,
}

/// What happened to records that were offered to an inbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pushed {
    /// They wait for the application.
    Taken,
    /// They wait, and no more should be read until some were taken.
    Full,
    /// The stream is over here.
    Ended,
}

/// What an inbox has for whoever takes frames.
#[derive(Debug, PartialEq, Eq)]
pub enum Next {
    /// Records, which stand back to back.
    Run(Bytes),
    /// Nothing now.
    Nothing,
    /// Nothing any more.
    Over,
}

impl<End> Inbox<End> {
    /// An empty one; the bound is for a sender that knows no credit, [`MAX_WAITING_WITHOUT_CREDIT`] as a rule.
    pub fn new(max_waiting_without_credit: usize) -> Self {
        Self {
            runs: VecDeque::new(),
            tail: BytesMut::new(),
            waiting: 0,
            max_waiting_without_credit,
            has_reliable: false,
            window: ReceiveWindow::default(),
            end: None,
        }
    }

    /// Takes records of this stream: the part `run` of `message`, the last of them `last_len` bytes.
    ///
    /// # Errors
    /// When the sender sent without credit. Nothing was taken; the stream is to be ended.
    pub fn push(
        &mut self,
        message: &Bytes,
        run: Range<usize>,
        last_len: usize,
        has_credit: bool,
    ) -> Result<Pushed, CreditError> {
        if self.end.is_some() {
            return Ok(Pushed::Ended);
        }
        let len = run.len();
        if has_credit {
            self.window.receive(len as u64, last_len as u64)?;
        } else {
            let kind = message.get(run.start).copied();
            self.has_reliable |= kind != Some(RecordKind::StreamLatencyFirst as u8);
        }
        self.waiting += len;
        self.keep(message, run);
        if has_credit || self.has_room() {
            return Ok(Pushed::Taken);
        }
        if self.has_reliable {
            return Ok(Pushed::Full);
        }
        self.drop_oldest();
        Ok(Pushed::Taken)
    }

    fn keep(&mut self, message: &Bytes, run: Range<usize>) {
        let len = run.len();
        let is_waiting = !self.runs.is_empty() || !self.tail.is_empty();
        let would_hold_more = len < message.len() / MAX_HELD_RATIO;
        if len < COPY_BELOW && (is_waiting || would_hold_more) {
            self.tail.extend_from_slice(&message[run]);
            if self.tail.len() >= MAX_TAIL {
                self.settle_tail();
            }
            return;
        }
        self.settle_tail();
        self.runs.push_back(if would_hold_more {
            Bytes::copy_from_slice(&message[run])
        } else {
            message.slice(run)
        });
    }

    /// Makes room by dropping what waits longest, but not what came last. The gap in the numbers tells the reader.
    fn drop_oldest(&mut self) {
        while !self.has_room() && self.runs.len() + usize::from(!self.tail.is_empty()) > 1 {
            let Some(oldest) = self.runs.pop_front() else { break };
            self.waiting = self.waiting.saturating_sub(oldest.len());
        }
    }

    fn settle_tail(&mut self) {
        if !self.tail.is_empty() {
            let tail = self.tail.split().freeze();
            self.runs.push_back(tail);
        }
    }

    /// Whether a connection whose peer knows no credit may be read.
    pub fn has_room(&self) -> bool {
        self.waiting < self.max_waiting_without_credit || self.end.is_some()
    }

    /// The next records to take.
    pub fn take(&mut self) -> Next {
        self.settle_tail();
        match self.runs.pop_front() {
            Some(run) => Next::Run(run),
            None if self.end.is_some() => Next::Over,
            None => Next::Nothing,
        }
    }

    /// Counts `len` bytes of records, taken before, as handed to the application. Whether the sender may get credit for
    /// it: not if the stream is over, as it would go to a sender that has forgotten it.
    pub fn hand_over(&mut self, len: usize) -> bool {
        self.waiting = self.waiting.saturating_sub(len);
        len > 0 && self.end.is_none()
    }

    /// The credit for what was handed over, if the sender knows credit and it is worth a record; see
    /// [`ReceiveWindow::take`].
    pub fn grant(&mut self, handed_over: usize, grow: impl FnOnce(u64) -> u64, now: Duration) -> Option<u64> {
        self.window.take(handed_over as u64, grow, now)
    }

    /// Ends the stream; `false` if it had ended. What waits can still be taken.
    pub fn end(&mut self, end: End) -> bool {
        let is_open = self.end.is_none();
        self.end.get_or_insert(end);
        is_open
    }

    /// Drops what waits: nobody wants it.
    pub fn discard(&mut self) {
        self.runs.clear();
        mem::take(&mut self.tail);
    }

    /// How the stream ended, once it has.
    pub fn ended(&self) -> Option<&End> {
        self.end.as_ref()
    }

    /// Whether nothing waits to be taken.
    pub fn is_drained(&self) -> bool {
        self.runs.is_empty() && self.tail.is_empty()
    }

    /// How many bytes of records wait, those included that were taken and not handed over yet.
    pub fn waiting(&self) -> usize {
        self.waiting
    }

    /// How much of its connection's growth the window has used.
    pub fn grown(&self) -> u64 {
        self.window.grown()
    }
}

#[cfg(test)]
mod tests;
