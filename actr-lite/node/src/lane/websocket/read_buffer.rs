use std::sync::Arc;

use actr_lite_engine::memory::Memory as _;
use actr_lite_quota::Limit;
use bytes::BytesMut;

use crate::{
    lane::websocket::read::Read,
    limits::{accounts::PeerAccount, held_bytes::HeldBytes},
};

/// What a connection reads into at first, so that an answer with a frame of some kilobytes comes in one read. An idle
/// one keeps no more.
const MIN_READ: usize = 8 << 10;

/// How far the read buffer grows while reads fill it: a few batches, so that a system call brings more than one.
const MAX_READ: usize = 256 << 10;

/// Up to this length a read buffer is given back whenever there is nothing to read: making one anew costs less than what
/// a thousand connections that pause would keep.
const SMALL_READ: usize = 16 << 10;

/// What was read from a connection and not decoded yet.
pub(super) struct ReadBuffer {
    pub(super) bytes: BytesMut,
    /// How much to read at once.
    want: usize,
    /// For what is read and not handed over yet.
    held: HeldBytes,
}

impl ReadBuffer {
    /// A buffer with what came behind the handshake.
    pub(super) fn new(leftover: BytesMut, account: Arc<PeerAccount>) -> Self {
        Self {
            bytes: leftover,
            want: MIN_READ,
            held: HeldBytes::new(account, SMALL_READ),
        }
    }

    /// Makes room for the next read, where so much of a fragmented message is here, and so much more is announced. What a
    /// peer announces it may not have: then reads are short, or there is none.
    pub(super) fn make_room(&mut self, fragmented_len: usize, announced: usize) -> Result<(), Limit> {
        // A fragmented message's buffer doubles as it grows.
        let held = self.bytes.len() + 2 * fragmented_len;
        let mut room = room(self.want, announced, self.bytes.len());
        if self.held.cover(held + room).is_err() {
            self.want = MIN_READ;
            room = MIN_READ;
            self.held.cover(held + room)?;
        }
        self.bytes.reserve(room);
        Ok(())
    }

    /// Learns from a read how much to read at once.
    pub(super) fn note(&mut self, read: Read) {
        if read.was_full {
            self.want = (self.want * 2).min(MAX_READ);
        } else if read.len < self.want / 8 {
            // What is kept of a read keeps its whole buffer: a trickle gets small ones.
            self.want = (self.want / 2).max(MIN_READ);
        }
    }

    /// All that is complete was handed over.
    pub(super) fn settle(&mut self) {
        self.held.shrink(self.want + self.bytes.len());
    }

    /// There is nothing to read: a small buffer is given back if it is empty.
    pub(super) fn pause(&mut self) {
        if self.bytes.is_empty() && self.want <= SMALL_READ {
            self.bytes = BytesMut::new();
            self.held.shrink(0);
        }
    }

    /// There has been nothing to read for long: any buffer is given back if it is empty.
    pub(super) fn rest(&mut self) {
        if self.bytes.is_empty() {
            self.bytes = BytesMut::new();
            self.want = MIN_READ;
            self.held.shrink(0);
        }
    }
}

/// How much room the next read gets, where so much is wanted at once, so much more is announced, and so much is here.
///
/// What is announced is within the limit, and still may never come: memory at most doubles what has.
fn room(want: usize, announced: usize, held: usize) -> usize {
    want.max(announced.min(held.max(MAX_READ)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_follows_what_has_come_and_not_what_is_announced() {
        const LEN: usize = 64 << 20;
        assert_eq!(room(MIN_READ, LEN, 0), MAX_READ, "a header alone");
        assert_eq!(room(MIN_READ, 100, 0), MIN_READ);
        assert_eq!(room(MIN_READ, MIN_READ + 1, 0), MIN_READ + 1);
        let (mut held, mut reads) = (0, 0);
        while held < LEN {
            let room = room(MIN_READ, LEN - held, held);
            assert!(room <= held.max(MAX_READ));
            held += room;
            reads += 1;
        }
        assert!(held == LEN && reads <= 10, "{reads} reads");
    }
}
