//! What a connection's driver decides: how much it reads, what came, what is due by the clock, and how it ends.
//!
//! The driver [begins a turn](Connection::begin_turn), and as long as that [goes on](Connection::goes_on) it asks for the
//! [`buffer`](Connection::buffer), reads into it and tells what came, takes one [`incoming`](Connection::incoming) after
//! the other until there is none, and then says that it has [`caught up`](Connection::caught_up). When there is nothing to
//! read it looks at what is [`due`](Connection::due). What is sent is decided by [`Outbox`](crate::outbox::Outbox).

mod end;
mod read_buffer;
mod turn;

use std::{fmt::Display, time::Duration};

use actr_lite_wire::{
    keepalive::{Keepalive, KeepaliveAction, LifeSign},
    record::HEADER_LEN,
    websocket::{CloseCode, CloseFrame, Decoded, Decoder, Event, Role},
};
use bytes::{Bytes, BytesMut};

pub use self::{
    end::{End, Goodbye},
    read_buffer::SMALL_READ,
};
use self::{read_buffer::ReadBuffer, turn::Turn};
use crate::{
    begun::{Begun, Partial, Stalled},
    memory::Memory,
};

/// How long a connection that this side closes may take to send what it has, and then how long it waits for the peer
/// to have read everything and to close too.
pub const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);

/// What a batch may have beyond one record of the greatest length: other records, and control records.
const BATCH_ALLOWANCE: usize = 2 << 20;

/// The longest message that a node takes whose longest record has so many bytes.
pub fn max_message_len(max_record_len: usize, extended: bool) -> usize {
    max_record_len + HEADER_LEN + if extended { BATCH_ALLOWANCE } else { 0 }
}

/// What came.
#[derive(Debug, PartialEq, Eq)]
pub enum Incoming {
    /// Records.
    Message(Bytes),
    /// This is to be sent back in a pong.
    Ping(Bytes),
    /// The rest is not there yet.
    Nothing,
    /// The turn is over, and there may be more.
    Later,
}

/// What is to be done by the clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Due {
    /// To send a ping, and to ask again.
    Ping,
    /// To send a pong unasked, and to ask again.
    Pong,
    /// Nothing before this time.
    At(Duration),
}

/// What the system has taken since the connection was made, in bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Written {
    /// In all.
    pub bytes: u64,
    /// After it had refused some: the peer has taken what came before.
    pub relieved: u64,
}

/// What goes over one connection, as long as nothing ends it. Times are since it was made.
#[derive(Debug)]
pub struct Connection<M> {
    decoder: Decoder,
    read: ReadBuffer<M>,
    /// The buffer may hold a message that was not looked at.
    is_fresh: bool,
    turn: Turn,
    keepalive: Keepalive,
    /// What the system had taken at the last look.
    written: Written,
    /// The message that is under way.
    message: Begun,
    /// The record in parts that is.
    partial: Begun,
    /// Why this side closes, and since when.
    closing: Option<(CloseFrame, Duration)>,
}

impl<M: Memory<Limit: Display>> Connection<M> {
    /// A connection that begins now, with what came behind the handshake. `memory` counts what is read and not handed over
    /// yet, of which the first [`SMALL_READ`] bytes should be free.
    pub fn new(
        role: Role,
        extended: bool,
        max_message_len: usize,
        stall_timeout: Duration,
        leftover: BytesMut,
        memory: M,
    ) -> Self {
        // By what the peer is known to live: one that speaks the extension says so itself.
        let life_sign = match extended {
            true => LifeSign::Speaks,
            false => LifeSign::Takes,
        };
        Self {
            decoder: Decoder::new(role, max_message_len),
            read: ReadBuffer::new(leftover, memory),
            is_fresh: true,
            turn: Turn::default(),
            keepalive: Keepalive::new(life_sign, Duration::ZERO),
            written: Written::default(),
            message: Begun::new(stall_timeout),
            partial: Begun::new(stall_timeout),
            closing: None,
        }
    }

    /// Other tasks have had their turn.
    pub fn begin_turn(&mut self) {
        self.turn = Turn::default();
    }

    /// Whether the turn goes on. To be asked before each read.
    ///
    /// # Errors
    /// At the end of the turn, when the peer does not finish what it has begun: one that sends something else without a
    /// pause never lets the timer have its turn.
    pub fn goes_on(&mut self, now: impl FnOnce() -> Duration) -> Result<bool, End> {
        let goes_on = self.turn.look();
        if !goes_on {
            self.check_unfinished(now())?;
        }
        Ok(goes_on)
    }

    /// The buffer to read into, with room for as much as is to be read at once; `None` if what is there was not looked at.
    ///
    /// # Errors
    /// When what the peer announces is more than this node may hold for it.
    pub fn buffer(&mut self) -> Result<Option<&mut BytesMut>, End> {
        if self.is_fresh {
            return Ok(None);
        }
        let over_share = |limit| End::Protocol(CloseCode::POLICY_VIOLATION, format!("this node has {limit}"));
        self.read.reserve(&self.decoder).map(Some).map_err(over_share)
    }

    /// So many bytes were read. `was_full`: as many as there was room for.
    ///
    /// # Errors
    /// When there were none: the peer sends no more.
    pub fn has_read(&mut self, len: usize, was_full: bool, now: Duration) -> Result<(), End> {
        if len == 0 {
            return Err(End::Broken("the peer closed it without a word".into()));
        }
        self.read.has_read(len, was_full);
        self.turn.read(len);
        self.keepalive.heard(now);
        self.is_fresh = true;
        Ok(())
    }

    /// There was nothing to read.
    pub fn found_nothing(&mut self) {
        self.read.give_back_small();
    }

    /// The next that has come. Each frame takes some of the turn, however short it is: a flood of short ones would hold up
    /// others otherwise.
    ///
    /// # Errors
    /// When the peer closes, or breaks the protocol.
    pub fn incoming(&mut self) -> Result<Incoming, End> {
        while self.turn.frame() {
            let decoded = self.decoder.decode_frame(&mut self.read.buffer);
            match decoded.map_err(|error| End::Protocol(error.close_code(), error.to_string()))? {
                Decoded::Incomplete => {
                    self.is_fresh = false;
                    return Ok(Incoming::Nothing);
                }
                Decoded::Event(Event::Binary(message)) => {
                    self.keepalive.received();
                    self.message.finish();
                    return Ok(Incoming::Message(message));
                }
                Decoded::Event(Event::Ping(payload)) => return Ok(Incoming::Ping(payload)),
                Decoded::Event(Event::Pong(_)) | Decoded::Fragment => {}
                Decoded::Event(Event::Text) => {
                    let error = "text messages are not part of the data lane";
                    return Err(End::Protocol(CloseCode::UNSUPPORTED_DATA, error.into()));
                }
                Decoded::Event(Event::Close(frame)) => return Err(End::Peer(frame)),
            }
        }
        Ok(Incoming::Later)
    }

    /// By when more has to come of what the peer has begun, if it has begun something.
    ///
    /// # Errors
    /// When that time is over.
    fn check_unfinished(&self, now: Duration) -> Result<Option<Duration>, End> {
        let deadline = |begun: &Begun| {
            let stalled = |stalled: Stalled| End::Protocol(CloseCode::POLICY_VIOLATION, stalled.to_string());
            begun.deadline(now).map_err(stalled)
        };
        let (message, partial) = (deadline(&self.message)?, deadline(&self.partial)?);
        Ok(message.into_iter().chain(partial).min())
    }

    /// All that is complete was handed over; `partial` is what its receiver has of a record in parts.
    pub fn caught_up(&mut self, partial: Partial, now: Duration) {
        let is_within_message = self.decoder.is_within_message();
        if is_within_message {
            self.keepalive.received();
        } else {
            self.read.shrink();
        }
        let message_len = 1 + self.read.buffer.len() + self.decoder.fragmented_len();
        let message = Partial {
            len: if is_within_message { message_len } else { 0 },
            whole_records: 0,
        };
        self.message.note(message, now);
        self.partial.note(partial, now);
    }

    /// A receiver without room stops the reading; then the peer's silence means nothing.
    pub fn is_not_read(&mut self, now: Duration) {
        self.keepalive.heard(now);
        self.keepalive.received();
        self.message.excuse(now);
        self.partial.excuse(now);
    }

    /// Looks whether this side closes. `why` is asked until it has once said so.
    ///
    /// # Errors
    /// When it takes too long to send what it has. A peer that sends without a pause and reads nothing never lets the timer
    /// have its turn, so this is to be called in each.
    pub fn look_at_close(&mut self, why: impl FnOnce() -> Option<CloseFrame>, now: Duration) -> Result<(), End> {
        if self.closing.is_none() {
            self.closing = why().map(|frame| (frame, now));
        }
        match &self.closing {
            Some((frame, since)) if now >= *since + CLOSE_TIMEOUT => Err(End::Stuck(frame.clone())),
            _ => Ok(()),
        }
    }

    /// All was sent, the close frame last, for which `why` gives the reason.
    pub fn closed(&mut self, why: impl FnOnce() -> Option<CloseFrame>) -> End {
        let frame = self.closing.take().map(|(frame, _)| frame).or_else(why);
        End::Closed(frame.unwrap_or_else(|| CloseFrame::new(CloseCode::NORMAL, "it asked to")))
    }

    /// What is due; `written` is what the system has taken until now.
    ///
    /// # Errors
    /// When the peer is silent, does not finish what it has begun, or does not read what it is sent before a close.
    pub fn due(&mut self, written: Written, now: Duration) -> Result<Due, End> {
        self.note_written(written, now);
        let mut until = match self.keepalive.poll(now) {
            KeepaliveAction::GiveUp(silence) => return Err(End::Silent(silence)),
            KeepaliveAction::Ping => {
                self.read.give_back();
                return Ok(Due::Ping);
            }
            KeepaliveAction::Pong => return Ok(Due::Pong),
            KeepaliveAction::WaitUntil(until) => until,
        };
        self.look_at_close(|| None, now)?;
        if let Some((_, since)) = &self.closing {
            until = until.min(*since + CLOSE_TIMEOUT);
        }
        let deadline = self.check_unfinished(now)?;
        Ok(Due::At(deadline.map_or(until, |deadline| until.min(deadline))))
    }

    /// Counts what the system has taken since the last look.
    fn note_written(&mut self, written: Written, now: Duration) {
        if written.bytes != self.written.bytes {
            self.keepalive.spoke(now);
        }
        if written.relieved != self.written.relieved {
            self.keepalive.taken(now);
        }
        self.written = written;
    }
}

#[cfg(test)]
mod tests;
