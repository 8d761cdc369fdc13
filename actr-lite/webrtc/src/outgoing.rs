//! Records that wait to be sent, as messages for the data channels.

use std::mem;

use actr_lite_engine::{memory::Memory, outbox::SendRefused};
use actr_lite_wire::{record::RecordKind, send_queue::Precedence};

use crate::{
    channel::Channel,
    fragment::{HEADER_LEN, Header, MAX_BODY},
};

/// How many bytes wait until further frames are refused. What the session has taken beside them, and what is on its way,
/// is as much again, so that a path of some ten milliseconds is full.
pub const MAX_BULK: usize = 256 << 10;

/// How many bytes of calls and answers wait until further ones are refused.
pub const MAX_AHEAD: usize = 64 << 10;

/// Before each message: its channel, and its length.
const ENTRY_LEN: usize = 5;

/// What waits to be sent to one peer.
///
/// Calls and answers leave before frames. A driver [takes](Self::take) all that waits at once, and gives it back when
/// it has [left](Self::left): senders fill the next batch meanwhile.
#[derive(Debug)]
pub struct Outgoing<M> {
    ahead: Vec<u8>,
    bulk: Vec<u8>,
    /// What the driver has taken, and has not given back.
    taken: usize,
    /// The last message of each channel.
    numbers: [u32; Channel::ALL.len()],
    sent: u64,
    memory: M,
    is_closed: bool,
    /// Memory for the next batch.
    spare: Vec<u8>,
}

/// Messages that leave together, in order.
#[derive(Debug, PartialEq, Eq)]
pub struct Batch {
    bytes: Vec<u8>,
    at: usize,
}

impl<M: Memory> Outgoing<M> {
    /// Nothing waits. What does is counted by `memory`.
    pub fn new(memory: M) -> Self {
        Self {
            ahead: Vec::new(),
            bulk: Vec::new(),
            taken: 0,
            numbers: [0; Channel::ALL.len()],
            sent: 0,
            memory,
            is_closed: false,
            spare: Vec::new(),
        }
    }

    /// Takes one record, whose body is `head` and `body` together. A kind that has no channel is dropped.
    ///
    /// # Errors
    /// When enough waits, or the peer's share is used up, or nothing leaves any more.
    pub fn push(&mut self, kind: RecordKind, head: &[u8], body: &[u8]) -> Result<(), SendRefused<M::Limit>> {
        if self.is_closed {
            return Err(SendRefused::Closed);
        }
        let Some(channel) = Channel::of(kind) else {
            return Ok(());
        };
        let len = head.len() + body.len();
        let waiting = self.waiting();
        let (queue, limit) = match Precedence::of(kind, len) {
            Precedence::Ahead => (&mut self.ahead, MAX_AHEAD),
            Precedence::Bulk => (&mut self.bulk, MAX_BULK),
        };
        let count = len.div_ceil(MAX_BODY).max(1);
        let added = len + count * (ENTRY_LEN + HEADER_LEN);
        // A record that is longer than the limit waits alone.
        if !queue.is_empty() && queue.len() + added > limit {
            return Err(SendRefused::Full);
        }
        self.memory.cover(waiting + added).map_err(SendRefused::OverShare)?;
        let number = &mut self.numbers[channel.index()];
        *number = number.wrapping_add(1);
        queue.reserve(added);
        for index in 0..count {
            let (from, to) = (index * MAX_BODY, len.min((index + 1) * MAX_BODY));
            let header = Header {
                message: *number,
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
        Ok(())
    }

    /// All that waits of calls, or else of frames.
    pub fn take(&mut self) -> Option<Batch> {
        let queue = [&mut self.ahead, &mut self.bulk]
            .into_iter()
            .find(|queue| !queue.is_empty())?;
        let bytes = mem::replace(queue, mem::take(&mut self.spare));
        self.taken += bytes.len();
        Some(Batch { bytes, at: 0 })
    }

    /// The messages of this batch have left.
    pub fn left(&mut self, batch: Batch) {
        let mut bytes = batch.bytes;
        self.taken -= bytes.len();
        self.sent += bytes.len() as u64;
        bytes.clear();
        // A record that was much longer than others is not worth keeping its memory.
        if bytes.capacity() <= 2 * MAX_BULK {
            self.spare = bytes;
        }
        self.memory.shrink(self.waiting());
    }

    /// Whether nothing waits to be taken.
    pub fn is_empty(&self) -> bool {
        self.ahead.is_empty() && self.bulk.is_empty()
    }

    /// How many bytes wait.
    pub fn waiting(&self) -> usize {
        self.ahead.len() + self.bulk.len() + self.taken
    }

    /// How many bytes have left.
    pub fn sent(&self) -> u64 {
        self.sent
    }

    /// No more is taken in.
    pub fn close(&mut self) {
        self.is_closed = true;
    }

    /// Nothing leaves any more.
    pub fn end(&mut self) {
        self.is_closed = true;
        for queue in [&mut self.ahead, &mut self.bulk, &mut self.spare] {
            *queue = Vec::new();
        }
        self.memory.shrink(self.taken);
    }
}

/// What of `bytes` lies between `from` and `to`.
fn part(bytes: &[u8], from: usize, to: usize) -> &[u8] {
    &bytes[from.min(bytes.len())..to.min(bytes.len())]
}

impl Batch {
    /// The next message, and its channel.
    pub fn next(&self) -> Option<(Channel, &[u8])> {
        let (entry, rest) = self.bytes[self.at..].split_first_chunk::<ENTRY_LEN>()?;
        let [channel, a, b, c, d] = *entry;
        let len = u32::from_le_bytes([a, b, c, d]) as usize;
        Some((*Channel::ALL.get(usize::from(channel))?, rest.get(..len)?))
    }

    /// The next message has left.
    pub fn advance(&mut self) {
        let len = self.next().map_or(0, |(_, message)| message.len());
        self.at = self.bytes.len().min(self.at + ENTRY_LEN + len);
    }

    /// All that have not left.
    #[cfg(test)]
    pub(crate) fn messages(&self) -> Vec<(Channel, Vec<u8>)> {
        let mut rest = Self {
            bytes: self.bytes.clone(),
            at: self.at,
        };
        let mut messages = Vec::new();
        while let Some((channel, message)) = rest.next() {
            messages.push((channel, message.to_vec()));
            rest.advance();
        }
        messages
    }
}
