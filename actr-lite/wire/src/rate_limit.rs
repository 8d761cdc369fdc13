//! How often somebody may do something: token buckets, as plain data. Time is an argument.

use std::{collections::HashMap, fmt, hash::Hash, time::Duration};

use thiserror::Error;

/// How many of those who did something lately are remembered: a few hundred kilobytes' worth.
pub const MAX_REMEMBERED: usize = 16_384;

/// Somebody does something too often.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("too often")]
pub struct TooOften {
    /// What is in order.
    pub rate: Rate,
    /// After this time once more is in order.
    pub retry_after: Duration,
}

impl TooOften {
    /// The time in whole seconds, rounded up.
    pub fn seconds(self) -> u64 {
        self.retry_after.as_secs() + u64::from(self.retry_after.subsec_nanos() > 0)
    }

    /// The same with words: `who_does` is somebody and what it does, like "the peer connects".
    pub fn of(self, who_does: impl fmt::Display) -> RateExceeded {
        RateExceeded {
            who_does: who_does.to_string(),
            too_often: self,
        }
    }
}

/// Who does what too often, and what is in order.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error(
    "{who_does} too often: after the first {} at most {} a second; try again in {} s",
    .too_often.rate.burst,
    .too_often.rate.per_second,
    .too_often.seconds()
)]
pub struct RateExceeded {
    who_does: String,
    too_often: TooOften,
}

impl RateExceeded {
    /// In so many seconds it may be tried again, as HTTP writes it (RFC 9110 §10.2.3).
    pub fn retry_after(&self) -> u64 {
        self.too_often.seconds()
    }
}

/// How much is in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// How many at once, after a pause.
    pub burst: u32,
    /// How many a second in the long run; not 0.
    pub per_second: u32,
}

impl Rate {
    fn cost(self) -> Duration {
        Duration::from_secs(1) / self.per_second.max(1)
    }
}

/// One token bucket for each of those who do something.
///
/// A bucket that is full again is forgotten, so that only those who did something lately take memory, and of those
/// [`MAX_REMEMBERED`] at most: in a flood from everywhere the ones with the fullest buckets are forgotten first, as they
/// gain least by it.
#[derive(Debug)]
pub struct RateLimit<K> {
    rate: Rate,
    /// When each bucket is full again.
    full_at: HashMap<K, Duration>,
}

impl<K: Hash + Eq + Copy> RateLimit<K> {
    /// The same rate for everybody.
    pub fn new(rate: Rate) -> Self {
        Self {
            rate,
            full_at: HashMap::new(),
        }
    }

    /// Counts that `who` does it once more, unless that is too often, which does not count.
    ///
    /// # Errors
    /// When it is too often.
    pub fn take(&mut self, who: K, now: Duration) -> Result<(), TooOften> {
        let cost = self.rate.cost();
        let most = cost * self.rate.burst.max(1);
        let full_at = self.full_at.get(&who).copied().unwrap_or_default().max(now) + cost;
        let missing = full_at - now;
        if missing > most {
            return Err(TooOften {
                rate: self.rate,
                retry_after: missing - most,
            });
        }
        if !self.full_at.contains_key(&who) {
            self.make_room(now);
        }
        self.full_at.insert(who, full_at);
        Ok(())
    }

    fn make_room(&mut self, now: Duration) {
        if self.full_at.len() < MAX_REMEMBERED {
            return;
        }
        self.full_at.retain(|_, full_at| *full_at > now);
        if self.full_at.len() < MAX_REMEMBERED {
            return;
        }
        // Half of them at once: then it takes many newcomers until this has to be done again.
        let mut times: Vec<Duration> = self.full_at.values().copied().collect();
        let (_, median, _) = times.select_nth_unstable(MAX_REMEMBERED / 2);
        let median = *median;
        let mut surplus = self.full_at.len() - MAX_REMEMBERED / 2;
        self.full_at.retain(|_, full_at| {
            let is_kept = *full_at > median || surplus == 0;
            surplus -= usize::from(!is_kept);
            is_kept
        });
    }
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;

    const RATE: Rate = Rate {
        burst: 3,
        per_second: 2,
    };

    fn millis(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    #[test]
    fn a_burst_goes_through_and_then_the_rate() {
        let mut limit = RateLimit::new(RATE);
        for _ in 0..3 {
            assert_eq!(limit.take(1, millis(10)), Ok(()));
        }
        let refused = limit.take(1, millis(10)).unwrap_err();
        assert_eq!(refused.retry_after, millis(500));
        assert_eq!(limit.take(2, millis(10)), Ok(()), "another one");
        assert!(limit.take(1, millis(509)).is_err(), "being refused costs nothing");
        assert_eq!(limit.take(1, millis(510)), Ok(()));
        assert!(limit.take(1, millis(510)).is_err());
    }

    #[test]
    fn a_flood_takes_bounded_memory_and_frees_no_flooder() {
        let mut limit = RateLimit::new(Rate {
            burst: 100,
            per_second: 1,
        });
        for _ in 0..100 {
            limit.take(u32::MAX, millis(0)).unwrap();
        }
        for who in 0..3 * MAX_REMEMBERED as u32 {
            limit.take(who, millis(0)).unwrap();
            assert!(limit.full_at.len() <= MAX_REMEMBERED);
        }
        assert!(limit.take(u32::MAX, millis(0)).is_err());
        limit.take(u32::MAX - 1, millis(1_000_000)).unwrap();
        assert!(limit.full_at.len() <= MAX_REMEMBERED);
    }

    proptest! {
        #[test]
        fn it_counts_like_a_bucket_that_is_filled_drop_by_drop(steps in vec((0..3u8, 0..900u64), 1..100)) {
            let mut limit = RateLimit::new(RATE);
            // In thousandths of a token, of which two come in a millisecond.
            let (mut model, mut now) = ([3000u64; 3], 0);
            for (who, pause) in steps {
                now += pause;
                for tokens in &mut model {
                    *tokens = (*tokens + 2 * pause).min(3000);
                }
                let tokens = &mut model[usize::from(who)];
                let expected = *tokens >= 1000;
                if expected {
                    *tokens -= 1000;
                }
                prop_assert_eq!(limit.take(who, millis(now)).is_ok(), expected);
            }
        }
    }
}
