//! The callback of a measured stream: it looks at every frame.

use std::{
    str,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use actr_lite::{DataStream, SequenceTally};
use tokio::{sync::mpsc, time::sleep};

/// What a stream's checker has seen; it alone writes it.
#[derive(Debug, Default)]
pub struct Seen {
    /// Frames, whatever their order.
    pub frames: AtomicU64,
    /// Bytes of text.
    pub bytes: AtomicU64,
    /// Frames that are out of order or not text.
    pub errors: AtomicU64,
    /// When the last of the expected frames came.
    pub done: OnceLock<Instant>,
}

/// Checks the frames of one stream.
pub struct Checker {
    expected: u64,
    slow: Option<Duration>,
    tally: SequenceTally,
    bytes: u64,
    not_text: u64,
    seen: Arc<Seen>,
    done: mpsc::UnboundedSender<Instant>,
}

impl Checker {
    /// A checker that tells `done` when the last of `expected` frames came, and sleeps for `slow` after each.
    ///
    /// `done` gets one message a stream.
    pub fn new(expected: u64, slow: Option<Duration>, seen: Arc<Seen>, done: mpsc::UnboundedSender<Instant>) -> Self {
        Self {
            expected,
            slow,
            tally: SequenceTally::default(),
            bytes: 0,
            not_text: 0,
            seen,
            done,
        }
    }

    /// Looks at a frame. The future is what the stream's callback waits for.
    pub fn check(&mut self, frame: &DataStream) -> impl Future<Output = ()> + Send + use<> {
        self.tally.observe(frame.sequence);
        match str::from_utf8(&frame.payload) {
            Ok(text) => self.bytes += text.len() as u64,
            Err(_) => self.not_text += 1,
        }
        let gaps = self.tally.last() - (self.tally.received() - self.tally.out_of_order());
        self.seen.frames.store(self.tally.received(), Relaxed);
        self.seen.bytes.store(self.bytes, Relaxed);
        self.seen
            .errors
            .store(gaps + self.tally.out_of_order() + self.not_text, Relaxed);
        if frame.sequence == self.expected {
            let now = Instant::now();
            let _ = self.seen.done.set(now);
            // Nobody listens any more once the run was given up.
            let _ = self.done.send(now);
        }
        // In a box, because it is usually absent, and the callback's future is made again for each frame.
        let slow = self.slow.map(|slow| Box::pin(sleep(slow)));
        async move {
            if let Some(slow) = slow {
                slow.await;
            }
        }
    }
}
