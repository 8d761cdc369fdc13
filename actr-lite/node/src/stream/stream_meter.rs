use std::{
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use actr_lite_admin::event::Direction;
use actr_lite_wire::identity::{ActrId, StreamId};

use crate::stream::progress::ProgressCell;

/// Stands for a number that nobody has said.
const UNKNOWN: u64 = u64::MAX;

/// What one stream has done so far. Its own end writes, by plain stores; everybody may read.
pub(crate) struct StreamMeter {
    pub(crate) stream_id: StreamId,
    pub(crate) peer: ActrId,
    pub(crate) direction: Direction,
    pub(crate) began: Instant,
    /// The number of the last frame that came from other streams before this one; 0 if it begins at the first.
    after: u64,
    /// How many frames its sender says that there are in all.
    expected: AtomicU64,
    frames: AtomicU64,
    bytes: AtomicU64,
    credit: AtomicU64,
    duplicates: AtomicU64,
    dropped: AtomicU64,
    /// In microseconds after it began, and 1; 0 while it does not wait.
    waits_since: AtomicU64,
    /// What a callback has got, from this sender and those before.
    progress: OnceLock<Arc<ProgressCell>>,
}

/// How much a stream has done.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct StreamCounts {
    pub(crate) frames: u64,
    pub(crate) bytes: u64,
    pub(crate) duplicates: u64,
    pub(crate) dropped: u64,
}

impl StreamMeter {
    /// For a stream that begins behind the frame of this number: where another broke, or with the first one, behind 0.
    pub(crate) fn new(stream_id: StreamId, peer: ActrId, direction: Direction, after: u64) -> Self {
        Self {
            stream_id,
            peer,
            direction,
            began: Instant::now(),
            after,
            expected: AtomicU64::new(UNKNOWN),
            frames: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
            credit: AtomicU64::new(UNKNOWN),
            duplicates: AtomicU64::new(0),
            dropped: AtomicU64::new(0),
            waits_since: AtomicU64::new(0),
            progress: OnceLock::new(),
        }
    }

    /// Its sender says that there are so many frames in all, with those that came before.
    pub(super) fn expect(&self, frames: u64) {
        self.expected.store(frames, Relaxed);
    }

    /// One frame more was sent. There is one that sends.
    #[inline]
    pub(super) fn sent(&self, payload_len: usize) {
        self.frames.store(self.frames.load(Relaxed) + 1, Relaxed);
        self.bytes.store(self.bytes.load(Relaxed) + payload_len as u64, Relaxed);
    }

    /// So many bytes its receiver takes now, if it says so.
    #[inline]
    pub(super) fn set_credit(&self, credit: Option<u64>) {
        self.credit.store(credit.unwrap_or(UNKNOWN), Relaxed);
    }

    /// So much was taken up to now.
    pub(super) fn taken(&self, taken: StreamCounts) {
        self.frames.store(taken.frames, Relaxed);
        self.bytes.store(taken.bytes, Relaxed);
        self.duplicates.store(taken.duplicates, Relaxed);
        self.dropped.store(taken.dropped, Relaxed);
    }

    /// So many frames were dropped up to now.
    pub(super) fn set_dropped(&self, dropped: u64) {
        self.dropped.store(dropped, Relaxed);
    }

    /// Its sender waits from now on.
    pub(super) fn waits(&self) {
        let after = u64::try_from(self.began.elapsed().as_micros()).unwrap_or(u64::MAX - 1);
        self.waits_since.store(after + 1, Relaxed);
    }

    /// Its sender waits no longer.
    pub(super) fn goes_on(&self) {
        self.waits_since.store(0, Relaxed);
    }

    /// A callback counts what it gets of it, and of those before.
    pub(crate) fn follow(&self, progress: &Arc<ProgressCell>) {
        let _ = self.progress.set(Arc::clone(progress));
    }

    pub(crate) fn counts(&self) -> StreamCounts {
        StreamCounts {
            frames: self.frames.load(Relaxed),
            bytes: self.bytes.load(Relaxed),
            duplicates: self.duplicates.load(Relaxed),
            dropped: self.dropped.load(Relaxed),
        }
    }

    /// How many bytes its receiver takes, if it says so.
    pub(crate) fn credit(&self) -> Option<u64> {
        known(&self.credit)
    }

    /// Since when its sender waits, if it does.
    pub(crate) fn waits_since(&self) -> Option<Instant> {
        let after = self.waits_since.load(Relaxed).checked_sub(1)?;
        Some(self.began + Duration::from_micros(after))
    }

    /// Whether it goes on where another broke.
    pub(crate) fn is_resumed(&self) -> bool {
        self.after > 0
    }

    /// How many frames there are in all, and how many of them are done, if that is known: received here, or sent by whomever.
    pub(crate) fn expected_and_done(&self) -> Option<(u64, u64)> {
        if let Some(progress) = self.progress.get() {
            return Some((progress.expected()?, progress.delivered()));
        }
        let counts = self.counts();
        Some((known(&self.expected)?, self.after + counts.frames + counts.dropped))
    }
}

fn known(number: &AtomicU64) -> Option<u64> {
    Some(number.load(Relaxed)).filter(|number| *number != UNKNOWN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_resumed_sender_counts_what_others_have_sent() {
        let peer = ActrId::new(1, 1, "acme+Peer".parse().unwrap());
        let meter = StreamMeter::new("s".parse().unwrap(), peer, Direction::Out, 7);
        assert_eq!(meter.expected_and_done(), None);
        meter.expect(10);
        meter.sent(5);
        assert_eq!((meter.counts().frames, meter.expected_and_done()), (1, Some((10, 8))));
        assert!(meter.is_resumed());
    }
}
