//! The queue of a stream whose frames are worthless when they are late.

use std::collections::VecDeque;

/// The most frames that wait: at fifty a second, as audio and game state come, more than a second's worth.
pub const MAX_QUEUED_FRAMES: usize = 64;

/// The most bytes that wait, as many as a stream's initial window has: what stands behind more than that would come too
/// late anyway. A single frame may be longer.
pub const MAX_QUEUED_BYTES: usize = 256 << 10;

/// Encoded frames that could not leave yet. It keeps the newest: when it is full the oldest are dropped, and counted.
#[derive(Debug, Default)]
pub struct LatencyQueue {
    frames: VecDeque<Vec<u8>>,
    bytes: usize,
    dropped: u64,
}

impl LatencyQueue {
    /// Puts a frame behind the others, and drops as many from the front as it takes to keep to the bounds.
    pub fn push(&mut self, frame: Vec<u8>) {
        self.bytes += frame.len();
        self.frames.push_back(frame);
        while self.frames.len() > MAX_QUEUED_FRAMES || (self.bytes > MAX_QUEUED_BYTES && self.frames.len() > 1) {
            self.drop_oldest();
        }
    }

    /// Drops the oldest frame, and counts it.
    pub fn drop_oldest(&mut self) {
        self.dropped += u64::from(self.pop().is_some());
    }

    /// The oldest frame.
    pub fn front(&self) -> Option<&[u8]> {
        self.frames.front().map(Vec::as_slice)
    }

    /// Takes the oldest frame away: it left.
    pub fn pop(&mut self) -> Option<Vec<u8>> {
        let frame = self.frames.pop_front()?;
        self.bytes -= frame.len();
        Some(frame)
    }

    /// Drops all, and counts them.
    pub fn clear(&mut self) {
        self.dropped += self.frames.len() as u64;
        self.frames = VecDeque::new();
        self.bytes = 0;
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.frames.is_empty()
    }

    /// How many bytes wait.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// How many frames wait.
    pub fn len(&self) -> usize {
        self.frames.len()
    }

    /// How many frames were dropped.
    pub fn dropped(&self) -> u64 {
        self.dropped
    }
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;

    #[derive(Debug, Clone)]
    enum Step {
        Push(usize),
        Pop,
        Clear,
    }

    fn any_step() -> impl Strategy<Value = Step> {
        prop_oneof![
            8 => (0..200usize).prop_map(Step::Push),
            2 => (0..40_000usize).prop_map(Step::Push),
            1 => (MAX_QUEUED_BYTES - 2..MAX_QUEUED_BYTES + 3).prop_map(Step::Push),
            4 => Just(Step::Pop),
            1 => Just(Step::Clear),
        ]
    }

    fn fits(lens: &[usize]) -> bool {
        lens.len() <= 1 || lens.len() <= MAX_QUEUED_FRAMES && lens.iter().sum::<usize>() <= MAX_QUEUED_BYTES
    }

    proptest! {
        #[test]
        fn it_keeps_the_longest_tail_that_fits_and_counts_the_rest(steps in vec(any_step(), 0..400)) {
            let mut queue = LatencyQueue::default();
            // All that was pushed and did not leave, by a number that each frame carries, and how much of it was dropped.
            let mut waiting: Vec<(u32, usize)> = Vec::new();
            let (mut dropped, mut number) = (0, 0u32);
            for step in steps {
                match step {
                    Step::Push(len) => {
                        number += 1;
                        let mut frame = number.to_be_bytes().to_vec();
                        frame.resize(len.max(4), 0);
                        waiting.push((number, frame.len()));
                        queue.push(frame);
                        let lens: Vec<_> = waiting.iter().map(|(_, len)| *len).collect();
                        let start = (0..lens.len()).find(|start| fits(&lens[*start..])).unwrap();
                        waiting.drain(..start);
                        dropped += start as u64;
                    }
                    Step::Pop => {
                        let expected = (!waiting.is_empty()).then(|| waiting.remove(0));
                        let front = queue.front().map(<[u8]>::to_vec);
                        let popped = queue.pop();
                        prop_assert_eq!(&front, &popped);
                        let popped = popped.map(|frame| (u32::from_be_bytes(frame[..4].try_into().unwrap()), frame.len()));
                        prop_assert_eq!(popped, expected);
                    }
                    Step::Clear => {
                        queue.clear();
                        dropped += waiting.len() as u64;
                        waiting.clear();
                    }
                }
                prop_assert_eq!(queue.len(), waiting.len());
                prop_assert_eq!(queue.is_empty(), waiting.is_empty());
                prop_assert_eq!(queue.bytes, waiting.iter().map(|(_, len)| len).sum::<usize>());
                prop_assert_eq!(queue.dropped(), dropped);
            }
        }
    }

    #[test]
    fn a_frame_longer_than_the_queue_waits_alone() {
        let mut queue = LatencyQueue::default();
        queue.push(vec![1]);
        queue.push(vec![2; MAX_QUEUED_BYTES + 1]);
        assert_eq!((queue.len(), queue.dropped()), (1, 1));
        queue.push(vec![3]);
        assert_eq!((queue.front(), queue.dropped()), (Some(&[3][..]), 2));
    }
}
