//! The way of a latency-first stream's frames: which leave at once, which wait, and which are dropped.

use std::time::Duration;

use actr_lite_wire::{credit::SendCredit, latency_queue::LatencyQueue, record::HEADER_LEN};

use crate::{memory::Memory, outbox::SendRefused};

/// How long the end of a stream waits for what is queued: a frame that is later than that is of no use to anybody.
pub const FLUSH_TIMEOUT: Duration = Duration::from_secs(1);

/// The frames of a latency-first stream on their way to the connection.
///
/// A frame goes straight there as long as nothing is queued. One that the connection or the receiver's credit does not let
/// through is queued, and leaves as credit and room come. `M` counts what is queued: the oldest frames are dropped if that is
/// more than the receiver may make this node hold.
#[derive(Debug)]
pub struct LatencyFirst<M> {
    queue: LatencyQueue,
    memory: M,
    /// `None` if the receiver grants none: then frames may always leave.
    credit: Option<SendCredit>,
}

/// What holds up what is queued.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HeldUp {
    /// Nothing is queued any more.
    Not,
    /// The receiver has given no credit.
    Credit,
    /// The connection is full.
    Room,
}

/// What became of a frame that was to leave at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Attempt {
    /// It is on its way.
    Sent,
    /// There is no credit or no room, or older frames wait.
    Congested,
    /// The connection is closed.
    Closed,
}

impl<M: Memory> LatencyFirst<M> {
    /// To a receiver that grants credit or not.
    pub fn new(has_credit: bool, memory: M) -> Self {
        Self {
            queue: LatencyQueue::default(),
            memory,
            credit: has_credit.then(SendCredit::default),
        }
    }

    /// Whether a record may go to the receiver; `granted` takes what that has granted since.
    fn has_credit(&mut self, granted: &mut impl FnMut() -> u64) -> bool {
        let Some(credit) = &mut self.credit else { return true };
        if !credit.may_send() {
            // What is too much was refused when it came.
            let _ = credit.grant(granted());
        }
        credit.may_send()
    }

    fn spend(&mut self, len: usize) {
        if let Some(credit) = &mut self.credit {
            credit.spend((HEADER_LEN + len) as u64);
        }
    }

    /// Sends a frame of this length if that can be at once. `granted` takes what the receiver has granted since the last
    /// time.
    pub fn try_send<L>(
        &mut self,
        len: usize,
        mut granted: impl FnMut() -> u64,
        send: impl FnOnce() -> Result<(), SendRefused<L>>,
    ) -> Attempt {
        if !self.queue.is_empty() || !self.has_credit(&mut granted) {
            return Attempt::Congested;
        }
        match send() {
            Ok(()) => {
                self.spend(len);
                Attempt::Sent
            }
            Err(SendRefused::Full | SendRefused::OverShare(_)) => Attempt::Congested,
            Err(SendRefused::Closed) => Attempt::Closed,
        }
    }

    /// Puts an encoded frame behind those that wait, if it still has to wait. What holds it up.
    pub fn queue<L>(
        &mut self,
        frame: Vec<u8>,
        mut granted: impl FnMut() -> u64,
        mut send: impl FnMut(&[u8]) -> Result<(), SendRefused<L>>,
    ) -> HeldUp {
        // Before that too: otherwise frames would be dropped without need, while those who send later have not had their turn.
        let before = self.advance(&mut granted, &mut send);
        self.queue.push(frame);
        let held_up = match before {
            HeldUp::Not => self.advance(granted, send),
            before => before,
        };
        while !self.queue.is_empty() && self.memory.cover(self.queue.bytes()).is_err() {
            self.queue.drop_oldest();
        }
        held_up
    }

    /// Sends what is queued, as far as that goes.
    pub fn advance<L>(
        &mut self,
        mut granted: impl FnMut() -> u64,
        mut send: impl FnMut(&[u8]) -> Result<(), SendRefused<L>>,
    ) -> HeldUp {
        while let Some(len) = self.queue.front().map(<[u8]>::len) {
            if !self.has_credit(&mut granted) {
                return HeldUp::Credit;
            }
            match self.queue.front().map_or(Ok(()), &mut send) {
                Ok(()) => {
                    self.spend(len);
                    self.queue.pop();
                }
                Err(SendRefused::Full) => return HeldUp::Room,
                // Nothing waits on the connection: there would be no room later either.
                Err(SendRefused::OverShare(_)) => self.queue.drop_oldest(),
                Err(SendRefused::Closed) => self.queue.clear(),
            }
        }
        self.memory.shrink(0);
        HeldUp::Not
    }

    /// Drops what is queued: nobody wants it any more.
    pub fn clear(&mut self) {
        self.queue.clear();
        self.memory.shrink(0);
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// How many frames were dropped.
    pub fn dropped(&self) -> u64 {
        self.queue.dropped()
    }
}

#[cfg(test)]
mod tests;
