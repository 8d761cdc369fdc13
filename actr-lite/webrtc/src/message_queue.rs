//! Records that wait for a peer that takes one record a message, as messages.

use std::mem;

use actr_lite_wire::{record::RecordKind, record_queue::Precedence};

use crate::{
    channel::{CHANNELS, Channel},
    fragment::{HEADER_LEN, Header, MAX_BODY},
};

/// How many bytes of messages of frames wait until further ones are refused. What the session has taken beside them, and what is on its
/// way, is as much again, so that a path of some ten milliseconds is full.
const MAX_BULK: usize = 256 << 10;

/// How many bytes of calls and answers wait until further ones are refused.
const MAX_AHEAD: usize = 64 << 10;

/// Before each message: its channel, and its length.
const ENTRY_LEN: usize = 5;

/// Messages that wait, each behind its channel and its length.
#[derive(Debug, Default)]
pub(crate) struct MessageQueue {
    ahead: Vec<u8>,
    bulk: Vec<u8>,
    /// The last message of each channel.
    numbers: [u32; CHANNELS],
    /// Memory for what follows.
    spare: Vec<u8>,
}

impl MessageQueue {
    /// What a record with a body of this length takes.
    pub(crate) fn cost(len: usize) -> usize {
        len + len.div_ceil(MAX_BODY).max(1) * (ENTRY_LEN + HEADER_LEN)
    }

    /// Whether such a record would wait behind too much. One that is longer than the limit waits alone.
    pub(crate) fn is_full_for(&self, kind: RecordKind, len: usize) -> bool {
        let (queue, limit) = match Precedence::of(kind, len) {
            Precedence::Ahead => (&self.ahead, MAX_AHEAD),
            Precedence::Bulk => (&self.bulk, MAX_BULK),
        };
        !queue.is_empty() && queue.len() + Self::cost(len) > limit
    }

    /// Adds a record, whose body is `head` and `body` together. A kind that has no channel is dropped.
    pub(crate) fn push(&mut self, kind: RecordKind, head: &[u8], body: &[u8]) {
        let Some(channel) = Channel::of(kind) else { return };
        let len = head.len() + body.len();
        let number = &mut self.numbers[channel.index()];
        *number = number.wrapping_add(1);
        let (message, count) = (*number, len.div_ceil(MAX_BODY).max(1));
        let queue = self.queue(Precedence::of(kind, len));
        queue.reserve(Self::cost(len));
        for index in 0..count {
            let (from, to) = (index * MAX_BODY, len.min((index + 1) * MAX_BODY));
            let header = Header {
                message,
                index: index as u16,
                count: count as u16,
            };
            queue.push(channel.index() as u8);
            queue.extend_from_slice(&((HEADER_LEN + to - from) as u32).to_le_bytes());
            queue.extend_from_slice(&header.bytes());
            queue.extend_from_slice(part(head, from, to));
            queue.extend_from_slice(part(
                body,
                from.saturating_sub(head.len()),
                to.saturating_sub(head.len()),
            ));
        }
    }

    fn queue(&mut self, precedence: Precedence) -> &mut Vec<u8> {
        match precedence {
            Precedence::Ahead => &mut self.ahead,
            Precedence::Bulk => &mut self.bulk,
        }
    }

    /// All that waits of this precedence, if anything does: [`next`] has the messages.
    pub(crate) fn take(&mut self, precedence: Precedence) -> Option<Vec<u8>> {
        if self.queue(precedence).is_empty() {
            return None;
        }
        let spare = mem::take(&mut self.spare);
        Some(mem::replace(self.queue(precedence), spare))
    }

    /// Takes memory back that nobody needs any more.
    pub(crate) fn put_back(&mut self, mut bytes: Vec<u8>) {
        // A record that was much longer than others is not worth keeping its memory.
        if bytes.capacity() <= 2 * MAX_BULK {
            bytes.clear();
            self.spare = bytes;
        }
    }

    /// How many bytes wait.
    pub(crate) fn len(&self) -> usize {
        self.ahead.len() + self.bulk.len()
    }

    /// Drops everything.
    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }
}

/// The message that stands in front of these bytes, and its channel.
pub(crate) fn next(bytes: &[u8]) -> Option<(Channel, &[u8])> {
    let (entry, rest) = bytes.split_first_chunk::<ENTRY_LEN>()?;
    let [channel, a, b, c, d] = *entry;
    let len = u32::from_le_bytes([a, b, c, d]) as usize;
    Some((*Channel::ALL.get(usize::from(channel))?, rest.get(..len)?))
}

/// What it takes in there.
pub(crate) fn entry_len(message: &[u8]) -> usize {
    ENTRY_LEN + message.len()
}

/// What of `bytes` lies between `from` and `to`.
fn part(bytes: &[u8], from: usize, to: usize) -> &[u8] {
    &bytes[from.min(bytes.len())..to.min(bytes.len())]
}
