//! How much is given to the system at once, by the rate of the link.
//!
//! What the system has taken can't be overtaken, and a message is read only when all of it is there. So both are kept
//! to what the link carries in half a second: pings, answers and credit wait no longer than that behind bulk data of
//! this node. Times are durations since any fixed moment of a clock that never goes back.

use std::time::Duration;

/// The longest batch: beyond 64 KiB a write the measured rate does not rise any more, and below it falls.
pub const MAX_BATCH: usize = 64 << 10;

/// The shortest: a link of 5 KB/s carries it in less than a second, and its headers are still less than a hundredth.
pub const MIN_BATCH: usize = 4 << 10;

/// The batch for an unknown link: a good one shows within two of them.
const FIRST_BATCH: usize = 16 << 10;

/// For how long a batch may keep the link busy: an eighth of the time after which a silent peer is asked.
const SHARE: Duration = Duration::from_millis(500);

/// How many batches the system may hold that the network has not taken: one to send, and one while the next is made.
pub const BATCHES_AHEAD: usize = 2;

/// Follows what one connection takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pace {
    batch: usize,
    state: State,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum State {
    /// The system takes everything: this much since then, the last of it at `last`.
    Open {
        since: Duration,
        last: Duration,
        taken: usize,
    },
    /// The system takes no more since then.
    Full { since: Duration },
}

impl State {
    fn open(now: Duration) -> Self {
        Self::Open {
            since: now,
            last: now,
            taken: 0,
        }
    }
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            batch: FIRST_BATCH,
            state: State::open(Duration::ZERO),
        }
    }
}

impl Pace {
    /// How long a batch may be, in bytes.
    pub fn batch(&self) -> usize {
        self.batch
    }

    /// How many bytes the system should hold at most that the network has not taken.
    pub fn ahead(&self) -> usize {
        BATCHES_AHEAD * self.batch
    }

    /// Counts a write: the system has taken this many of the bytes that it was offered.
    pub fn wrote(&mut self, offered: usize, taken: usize, now: Duration) {
        debug_assert!(taken <= offered);
        if let State::Full { since } = self.state {
            if taken > 0 {
                self.batch = share(taken, now.saturating_sub(since));
                self.state = if taken < offered {
                    State::Full { since: now }
                } else {
                    State::open(now)
                };
            }
            return;
        }
        if taken < offered {
            self.state = State::Full { since: now };
            return;
        }
        self.took_all(taken, now);
    }

    fn took_all(&mut self, len: usize, now: Duration) {
        let ahead = self.ahead();
        let State::Open { since, last, taken } = &mut self.state else {
            return;
        };
        if now.saturating_sub(*last) > SHARE {
            (*since, *taken) = (now, 0);
        }
        *last = now;
        *taken += len;
        // What the system may still hold proves nothing.
        let carried = taken.saturating_sub(ahead);
        if carried >= self.batch {
            self.batch = self.batch.max(share(carried, now.saturating_sub(*since)));
            self.state = State::open(now);
        }
    }
}

/// The batch for a link that has carried this many bytes in that time: a power of two, so that it seldom changes.
fn share(bytes: usize, time: Duration) -> usize {
    let carried = (bytes as u128 * SHARE.as_nanos()).checked_div(time.as_nanos());
    let carried = carried.and_then(|carried| usize::try_from(carried).ok());
    let batch = carried.unwrap_or(MAX_BATCH).clamp(MIN_BATCH, MAX_BATCH);
    1 << batch.ilog2()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A system that tells of room when half of what it may hold has left, as Linux does, and a link behind it.
    fn drive(rate: u64, bytes: usize) -> (Pace, Duration) {
        let (mut pace, mut now) = (Pace::default(), Duration::ZERO);
        let (mut held, mut sent, mut longest_wait) = (0, 0, Duration::ZERO);
        let carry = |bytes: usize| Duration::from_nanos(bytes as u64 * 1_000_000_000 / rate);
        while sent < bytes {
            let mut left = pace.batch().min(bytes - sent);
            sent += left;
            while left > 0 {
                let room = pace.ahead().saturating_sub(held);
                let taken = left.min(room);
                pace.wrote(left, taken, now);
                held += taken;
                left -= taken;
                if left > 0 {
                    let leaves = held - (pace.ahead() / 2).min(held);
                    now += carry(leaves.max(1));
                    held -= leaves.max(1).min(held);
                }
            }
            longest_wait = carry(held + pace.batch());
        }
        (pace, longest_wait)
    }

    proptest! {
        #[test]
        fn what_is_ahead_of_a_ping_leaves_within_seconds(rate in 5_000..100_000_000u64) {
            let (_, wait) = drive(rate, 4 << 20);
            prop_assert!(wait < Duration::from_secs(4), "{wait:?} at {rate} B/s");
        }

        #[test]
        fn a_batch_stays_within_its_bounds(
            writes in proptest::collection::vec((0..200_000usize, 0..=100usize, 0..5_000u64), 0..100),
        ) {
            let (mut pace, mut now) = (Pace::default(), Duration::ZERO);
            for (offered, percent, pause) in writes {
                now += Duration::from_millis(pause);
                pace.wrote(offered, offered * percent / 100, now);
                prop_assert!((MIN_BATCH..=MAX_BATCH).contains(&pace.batch()));
                prop_assert!(pace.batch().is_power_of_two());
            }
        }
    }

    #[test]
    fn a_fast_link_gets_the_longest_batch_at_once() {
        assert_eq!(drive(1_000_000_000, 200 << 10).0.batch(), MAX_BATCH);
    }

    #[test]
    fn batches_follow_the_rate_of_the_link() {
        let mut pace = drive(5_000, 100 << 10).0;
        assert!(pace.batch() <= 2 * MIN_BATCH, "{pace:?}");
        for _ in 0..5 {
            pace.wrote(pace.batch(), pace.batch(), Duration::from_secs(1000));
        }
        assert_eq!(pace.batch(), MAX_BATCH);
    }

    #[test]
    fn a_stalled_peer_does_not_keep_batches_short() {
        let mut pace = Pace::default();
        pace.wrote(100, 50, Duration::ZERO);
        pace.wrote(50, 50, Duration::from_secs(60));
        assert_eq!(pace.batch(), MIN_BATCH);
        pace.wrote(64 << 10, 32 << 10, Duration::from_secs(60));
        pace.wrote(32 << 10, 32 << 10, Duration::from_secs(60) + Duration::from_micros(100));
        assert_eq!(pace.batch(), MAX_BATCH);
    }
}
