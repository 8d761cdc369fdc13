use actr_lite_wire::websocket::Decoder;
use bytes::BytesMut;

use crate::memory::Memory;

/// What a connection reads into at first, so that an answer with a frame of some kilobytes comes in one read. An idle
/// one keeps no more.
const MIN_READ: usize = 8 << 10;

/// How far the read buffer grows while reads fill it: a few batches, so that a system call brings more than one.
pub(super) const MAX_READ: usize = 256 << 10;

/// Up to this length a read buffer is given back whenever there is nothing to read: making one anew costs less than what
/// a thousand connections that pause would keep.
pub const SMALL_READ: usize = 16 << 10;

/// What is read into, and how much at once.
#[derive(Debug)]
pub(super) struct ReadBuffer<M> {
    pub(super) buffer: BytesMut,
    /// How much to read at once.
    want: usize,
    /// For what is read and not handed over yet.
    pub(super) memory: M,
}

impl<M: Memory> ReadBuffer<M> {
    pub(super) fn new(leftover: BytesMut, memory: M) -> Self {
        Self {
            buffer: leftover,
            want: MIN_READ,
            memory,
        }
    }

    /// Makes room for the next read. What a peer announces it may not have: then reads are short, or there is none.
    pub(super) fn reserve(&mut self, decoder: &Decoder) -> Result<&mut BytesMut, M::Limit> {
        // A fragmented message's buffer doubles as it grows.
        let held = self.buffer.len() + 2 * decoder.fragmented_len();
        let mut room = room(self.want, decoder.wanted(), self.buffer.len());
        if self.memory.cover(held + room).is_err() {
            self.want = MIN_READ;
            room = MIN_READ;
            self.memory.cover(held + room)?;
        }
        self.buffer.reserve(room);
        Ok(&mut self.buffer)
    }

    pub(super) fn has_read(&mut self, len: usize, was_full: bool) {
        if was_full {
            self.want = (self.want * 2).min(MAX_READ);
        } else if len < self.want / 8 {
            // What is kept of a read keeps its whole buffer: a trickle gets small ones.
            self.want = (self.want / 2).max(MIN_READ);
        }
    }

    /// Gives back memory that is not needed between two messages.
    pub(super) fn shrink(&mut self) {
        self.memory.shrink(self.want + self.buffer.len());
    }

    /// Gives back an empty buffer that is cheap to make anew.
    pub(super) fn give_back_small(&mut self) {
        if self.buffer.is_empty() && self.want <= SMALL_READ {
            self.buffer = BytesMut::new();
            self.memory.shrink(0);
        }
    }

    /// Gives back an empty buffer: the connection is idle.
    pub(super) fn give_back(&mut self) {
        if self.buffer.is_empty() {
            self.buffer = BytesMut::new();
            self.want = MIN_READ;
            self.memory.shrink(0);
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
