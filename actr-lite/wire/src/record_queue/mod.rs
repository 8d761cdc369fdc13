//! The records that wait to be sent to one peer, and in which order they leave.
//!
//! Calls, answers, credit and cancels leave first, and bulk data last. Where both go the same way, the end of a stream, or
//! its error, leaves ahead of the bulk of other streams too, but not of its own: a receiver that has the end takes what
//! still comes for another stream. That also holds for a stream that was cancelled, as its end tells the receiver that the
//! name is free again. A record that is longer than a message may be is cut into records of kind
//! [`Part`](RecordKind::Part), between which other records leave.

pub(crate) mod records;

use self::records::{Cut, Records};
use crate::{
    control::Control,
    record::{HEADER_LEN, RecordKind, header},
    websocket::HEADER_ROOM,
};

/// The longest call or answer that leaves ahead of bulk data: the others are bulk themselves.
pub const MAX_AHEAD_RECORD: usize = 16 << 10;

/// How many bytes of calls and answers wait before further ones are refused.
pub(crate) const MAX_AHEAD: usize = 64 << 10;

/// How many bytes of control records may wait for a peer that does not read: thousands of streams' worth.
const MAX_CONTROL_BACKLOG: usize = 1 << 20;

/// In which order records leave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Precedence {
    /// Before all bulk data; among each other in order.
    Ahead,
    /// In order.
    Bulk,
}

impl Precedence {
    /// That of a record with a body of this length. The end of a stream is bulk where something of the stream waits.
    pub fn of(kind: RecordKind, len: usize) -> Self {
        match kind {
            RecordKind::RpcReliable | RecordKind::RpcSignal if len <= MAX_AHEAD_RECORD => Self::Ahead,
            RecordKind::StreamCredit | RecordKind::StreamCancel | RecordKind::CallCancel | RecordKind::Leaving => {
                Self::Ahead
            }
            _ => Self::Bulk,
        }
    }
}

/// The peer makes this side say more than it reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Overwhelmed;

/// The records that wait to be sent to one peer.
#[derive(Debug)]
pub struct RecordQueue {
    is_one_way: bool,
    ahead: Records,
    bulk: Records,
}

impl RecordQueue {
    /// For a connection on which all that has left arrives in order.
    pub fn one_way() -> Self {
        Self::new(true)
    }

    /// For a peer to whom the records of each precedence go a way of their own: what has left one way may arrive before what
    /// has left the other way earlier.
    pub fn two_ways() -> Self {
        Self::new(false)
    }

    fn new(is_one_way: bool) -> Self {
        Self {
            is_one_way,
            ahead: Records::default(),
            bulk: Records::default(),
        }
    }

    /// Whether a record with a body of this length would wait behind too much, where a message of bulk has `longest` bytes:
    /// some of that has to leave first.
    #[inline]
    pub fn is_full_for(&self, kind: RecordKind, len: usize, longest: usize) -> bool {
        let (records, most) = match Precedence::of(kind, len) {
            Precedence::Ahead => (&self.ahead, MAX_AHEAD),
            Precedence::Bulk => (&self.bulk, longest),
        };
        !records.is_empty() && records.len() + HEADER_LEN + len > most
    }

    /// Adds a record, whose body is `head` and `body` together.
    #[inline]
    pub fn push(&mut self, kind: RecordKind, head: &[u8], body: &[u8]) {
        let precedence = Precedence::of(kind, head.len() + body.len());
        self.records_mut(precedence).push(kind, head, body);
    }

    /// Adds a control record, however much waits.
    ///
    /// # Errors
    /// When too many of them wait: the peer does not read.
    pub fn push_control(&mut self, control: &Control) -> Result<(), Overwhelmed> {
        let (kind, body) = control.encode();
        if self.ahead.control() + self.bulk.control() + HEADER_LEN + body.len() > MAX_CONTROL_BACKLOG {
            return Err(Overwhelmed);
        }
        // Bulk that waits is a batch as a rule: a look through it takes microseconds.
        let precedence = match control.ends() {
            Some(stream_id) if self.is_one_way && !self.bulk.has_any_of(stream_id) => Precedence::Ahead,
            _ => Precedence::of(kind, body.len()),
        };
        self.records_mut(precedence).push(kind, &[], &body);
        Ok(())
    }

    /// The content of the next message of this precedence, behind room for a message's header, if there is any: records of
    /// about `longest` bytes, or so much of one that is longer.
    pub fn take(&mut self, precedence: Precedence, longest: usize) -> Option<Vec<u8>> {
        let records = self.records_mut(precedence);
        if records.is_empty() {
            return None;
        }
        if let Some(bytes) = records.take_all(longest) {
            return Some(bytes);
        }
        let (cut, bytes) = records.cut(longest);
        let len = bytes.len();
        let mut content = Vec::with_capacity(HEADER_ROOM + HEADER_LEN + len);
        content.resize(HEADER_ROOM, 0);
        if cut != Cut::Records {
            content.extend_from_slice(&header(RecordKind::Part, len));
        }
        content.extend_from_slice(bytes);
        records.advance(cut, len);
        Some(content)
    }

    /// Puts all bulk behind what is ahead, to leave with it. None of it may be cut.
    pub(crate) fn join(&mut self) {
        self.ahead.append(&mut self.bulk);
    }

    #[inline]
    pub(crate) fn records(&self, precedence: Precedence) -> &Records {
        match precedence {
            Precedence::Ahead => &self.ahead,
            Precedence::Bulk => &self.bulk,
        }
    }

    #[inline]
    pub(crate) fn records_mut(&mut self, precedence: Precedence) -> &mut Records {
        match precedence {
            Precedence::Ahead => &mut self.ahead,
            Precedence::Bulk => &mut self.bulk,
        }
    }

    /// Whether any record waits.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.ahead.is_empty() && self.bulk.is_empty()
    }

    /// Whether any record of this precedence waits.
    #[inline]
    pub fn has_any(&self, precedence: Precedence) -> bool {
        !self.records(precedence).is_empty()
    }

    /// How many bytes wait.
    pub fn len(&self) -> usize {
        self.ahead.len() + self.bulk.len()
    }

    /// Drops everything.
    pub fn clear(&mut self) {
        *self = Self::new(self.is_one_way);
    }
}

#[cfg(test)]
mod tests;
