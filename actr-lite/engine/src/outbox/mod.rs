//! What leaves on a connection, when, and who writes it.
//!
//! Senders append records. A sender that fills a batch, or whose record must not wait, writes it to the socket itself;
//! what is left is written by the connection's driver. Only one of them writes at a time, and the outbox is not locked
//! meanwhile: the bytes are taken out as a [`Writing`] and given back with what the socket took of them.
//!
//! After each call the shell asks for the [`Notices`], lets go of its lock, and wakes whom they name.

mod notices;
mod sending;
mod writing;

use std::{mem, time::Duration};

use actr_lite_wire::{
    control::Control,
    record::RecordKind,
    record_queue::Overwhelmed,
    send_queue::{Piece, SendQueue},
    websocket::{CloseFrame, Role},
};

use self::writing::Then;
pub use self::{
    notices::{Notices, Room},
    sending::{Accepted, SendRefused, Urgency},
    writing::{Drive, Next, Sent, Writing},
};
use crate::memory::Memory;

/// How much may wait to be sent that counts as a part of the connection.
pub const FREE_BYTES: usize = 16 << 10;

/// How much the driver writes before it looks at what comes: a few of the longest pieces, so that a long record does not
/// cost a turn for each.
const MAX_WRITTEN_AT_ONCE: usize = 256 << 10;

/// What a control record takes at most, as a rule: a stream's id and a sentence.
const MAX_CONTROL_LEN: usize = 1 << 10;

/// What is to be sent on one connection. `mask` gives masking keys, each unpredictable and used once; times are durations
/// since any fixed moment of a clock that never goes back.
#[derive(Debug)]
pub struct Outbox<M> {
    /// Whether the peer takes batches and control records; otherwise one record makes one message.
    extended: bool,
    queue: SendQueue,
    /// For what waits in the queue, and what is sealed.
    memory: M,
    /// Whole frames, or the rest of some: they go out before the queue.
    sealed: Vec<u8>,
    /// How much of `sealed` is sent.
    sent: usize,
    /// Somebody writes.
    is_writing: bool,
    /// The driver does nothing until it is woken.
    driver_rests: bool,
    /// Why this side closes.
    closing: Option<CloseFrame>,
    driver_knows_closing: bool,
    has_ended: bool,
    /// The bound that the shell knows.
    bound: usize,
    notices: Notices,
}

impl<M: Memory> Outbox<M> {
    /// For an end of a connection; `extended`: the peer takes batches and control records.
    pub fn new(role: Role, extended: bool, memory: M) -> Self {
        Self {
            extended,
            queue: SendQueue::new(role, extended),
            memory,
            sealed: Vec::new(),
            sent: 0,
            is_writing: false,
            driver_rests: false,
            closing: None,
            driver_knows_closing: false,
            has_ended: false,
            bound: 0,
            notices: Notices::default(),
        }
    }

    /// Takes a record, if there is room or can be made. Its body is `head` and `body` together.
    ///
    /// # Errors
    /// When the record is not taken now.
    #[inline]
    pub fn send(
        &mut self,
        kind: RecordKind,
        urgency: Urgency,
        head: &[u8],
        body: &[u8],
        mask: impl FnMut() -> [u8; 4],
    ) -> Result<Sent, SendRefused<M::Limit>> {
        let len = head.len() + body.len();
        if self.queue.is_closed() {
            return Err(SendRefused::Closed);
        }
        if self.queue.is_full_for(kind, len) {
            return self.make_room(mask);
        }
        if let Err(limit) = self.hold(len) {
            // Once what waits has left there is room.
            return if self.has_waiting() {
                self.make_room(mask)
            } else {
                Err(SendRefused::OverShare(limit))
            };
        }
        self.queue.push(kind, head, body);
        let next = match urgency {
            Urgency::Now => self.begin(Then::Stop, mask),
            // Another of its length would not fit: written here, the sender may pause behind a full batch.
            Urgency::Pause if self.queue.is_full_for(kind, len) => self.begin(Then::Batches, mask),
            Urgency::Pause => {
                self.wake_driver();
                Next::Done(Accepted::Queued)
            }
            Urgency::Later => Next::Done(Accepted::Queued),
        };
        Ok(Sent::Taken(next))
    }

    #[cold]
    fn make_room(&mut self, mask: impl FnMut() -> [u8; 4]) -> Result<Sent, SendRefused<M::Limit>> {
        self.take_piece(Then::Stop, mask)
            .map(Sent::After)
            .ok_or(SendRefused::Full)
    }

    /// Takes a control record, whatever the queue's length; without effect if the peer does not take them.
    ///
    /// # Errors
    /// When the peer makes this side say more than it reads.
    pub fn push_control(&mut self, control: &Control, mask: impl FnMut() -> [u8; 4]) -> Result<Next, Overwhelmed> {
        if !self.extended || self.queue.is_closed() {
            return Ok(Next::Done(Accepted::Queued));
        }
        self.hold(MAX_CONTROL_LEN).map_err(|_| Overwhelmed)?;
        self.queue.push_control(control)?;
        Ok(self.begin(Then::Stop, mask))
    }

    /// Lets what waits leave at once.
    pub fn flush(&mut self, mask: impl FnMut() -> [u8; 4]) -> Next {
        if self.queue.has_records() {
            return self.begin(Then::Stop, mask);
        }
        Next::Done(Accepted::Queued)
    }

    /// A sender has written: the socket took `taken` bytes. `has_unsent`: not all of what it took is with the system yet.
    pub fn wrote(
        &mut self,
        writing: Writing,
        taken: usize,
        has_unsent: bool,
        now: Duration,
        mask: impl FnMut() -> [u8; 4],
    ) -> Next {
        let then = writing.then;
        self.put_back(writing, taken, now);
        self.tell_room();
        if self.has_sealed() || has_unsent || self.queue.is_closed() {
            self.wake_driver();
        }
        if then == Then::Batches {
            if !self.has_sealed() && self.queue.has_full_batch() {
                return self.begin(then, mask);
            }
            if !self.has_sealed() && !self.queue.has_records() {
                return Next::Done(Accepted::BatchWritten);
            }
        }
        // Whoever came meanwhile counts on the driver, which does nothing while somebody else writes.
        if self.queue.has_records() {
            self.wake_driver();
        }
        Next::Done(Accepted::Queued)
    }

    /// The driver's next step, when it has written so many bytes since its turn began. A batch that stands behind them, as
    /// senders go on, has to wait until other tasks of the thread have had their turn: to follow senders closely would
    /// make many short messages.
    pub fn drive(&mut self, written: usize, mask: impl FnMut() -> [u8; 4]) -> Drive {
        if self.is_writing {
            self.driver_rests = true;
            return Drive::Busy;
        }
        let piece = if self.has_sealed() {
            Piece {
                bytes: mem::take(&mut self.sealed),
                start: mem::take(&mut self.sent),
            }
        } else {
            let is_worthwhile = self.queue.has_full_batch() && written < MAX_WRITTEN_AT_ONCE;
            if written > 0 && self.queue.has_records() && !is_worthwhile {
                return Drive::More;
            }
            let Some(piece) = self.next_piece(mask) else {
                self.driver_rests = true;
                self.memory.shrink(0);
                return match self.queue.said_goodbye() {
                    true => Drive::Closed,
                    false => Drive::Idle,
                };
            };
            self.tell_room();
            piece
        };
        // Nobody need wake it to look for more: it does so when this is written.
        self.driver_rests = false;
        self.is_writing = true;
        Drive::Write(Writing {
            piece: Box::new(piece),
            then: Then::Stop,
        })
    }

    /// The driver has written: the socket took `taken` bytes. If those are not all, it rests until the socket takes more.
    pub fn drove(&mut self, writing: Writing, taken: usize, now: Duration) {
        self.put_back(writing, taken, now);
        if self.has_sealed() {
            self.driver_rests = true;
            // The time to close runs from now on, which the driver has to see.
            if self.closing.is_some() && !self.driver_knows_closing {
                self.wake_driver();
            }
        } else if !self.queue.has_records() {
            // A sender may have been refused because of the bytes that were being written, and no other piece follows.
            self.tell_room();
        }
    }

    /// Adds a ping; it goes out before the records.
    pub fn ping(&mut self) {
        self.queue.ping();
        self.wake_driver();
    }

    /// Adds a pong; it goes out before the records.
    pub fn pong(&mut self, payload: &[u8]) {
        self.queue.pong(payload);
        self.wake_driver();
    }

    /// Lets nothing follow but this, behind all that waits; without effect after the first time.
    pub fn close(&mut self, frame: CloseFrame) {
        if !self.queue.is_closed() {
            self.closing = Some(frame.clone());
            self.queue.close(frame);
        }
        self.wake_driver();
    }

    /// Drops what nobody will read, and lets only the close frame follow: a frame that was begun is still finished.
    pub fn abandon(&mut self, frame: CloseFrame) {
        self.queue.abandon(frame);
        self.wake_driver();
    }

    /// Why this side wants to close, for its driver.
    pub fn closing(&mut self) -> Option<&CloseFrame> {
        self.driver_knows_closing = self.closing.is_some();
        self.closing.as_ref()
    }

    /// The connection has ended: nothing is taken, kept or given out any more, and everybody who waits for room learns it.
    pub fn end(&mut self) {
        self.has_ended = true;
        self.queue.end();
        self.memory.shrink(0);
        (self.sealed, self.sent) = (Vec::new(), 0);
        self.driver_rests = false;
        self.notices = Notices {
            driver: false,
            room: Room::Everyone,
        };
    }

    /// How many bytes of records have left so far, about.
    pub fn given_out(&self) -> u64 {
        self.queue.given_out()
    }

    /// Whether no record waits, and nothing is left of what was begun.
    pub fn is_drained(&self) -> bool {
        !self.has_waiting()
    }

    /// How many bytes wait: records, and what is left of frames.
    pub fn waiting(&self) -> usize {
        self.sealed.len() - self.sent + self.queue.len()
    }

    /// How many bytes the system should hold at most that the network has not taken, if that has changed since the last
    /// call.
    pub fn new_bound(&mut self) -> Option<usize> {
        let bound = self.queue.pace().ahead();
        (mem::replace(&mut self.bound, bound) != bound).then_some(bound)
    }

    /// Whom to wake, since the last call.
    #[inline]
    pub fn take_notices(&mut self) -> Notices {
        mem::take(&mut self.notices)
    }

    /// Whether this many bytes of a record may wait too.
    #[inline]
    fn hold(&mut self, len: usize) -> Result<(), M::Limit> {
        self.memory.cover(self.held() + len)
    }

    fn held(&self) -> usize {
        self.sealed.len() + self.queue.len()
    }

    fn has_sealed(&self) -> bool {
        self.sent < self.sealed.len()
    }

    fn has_waiting(&self) -> bool {
        self.queue.has_records() || self.has_sealed() || self.is_writing
    }

    #[inline]
    fn wake_driver(&mut self) {
        self.notices.driver |= mem::take(&mut self.driver_rests);
    }

    fn tell_room(&mut self) {
        if self.notices.room == Room::Nobody {
            self.notices.room = Room::One;
        }
    }

    fn next_piece(&mut self, mask: impl FnMut() -> [u8; 4]) -> Option<Piece> {
        if self.has_ended || self.queue.said_goodbye() {
            return None;
        }
        self.queue.next_piece(mask)
    }

    /// Gives a sender the next piece, unless somebody else writes or an older part waits: whoever has
    /// those goes on with it, or wakes the driver.
    fn take_piece(&mut self, then: Then, mask: impl FnMut() -> [u8; 4]) -> Option<Writing> {
        if self.is_writing || self.has_sealed() {
            return None;
        }
        let piece = Box::new(self.next_piece(mask)?);
        self.is_writing = true;
        Some(Writing { piece, then })
    }

    fn begin(&mut self, then: Then, mask: impl FnMut() -> [u8; 4]) -> Next {
        self.take_piece(then, mask)
            .map_or(Next::Done(Accepted::Queued), Next::Write)
    }

    /// Keeps what was not written, and learns what the link carries.
    fn put_back(&mut self, writing: Writing, taken: usize, now: Duration) {
        let Piece { bytes, start } = *writing.piece;
        self.is_writing = false;
        self.queue.pace().wrote(bytes.len() - start, taken, now);
        let sent = start + taken;
        // Buffers are kept no longer than there is something to be sent: a thousand connections that pause cost nothing.
        if sent < bytes.len() && !self.has_ended {
            (self.sealed, self.sent) = (bytes, sent);
        }
    }
}

#[cfg(test)]
mod tests;
