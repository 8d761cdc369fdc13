//! How long to wait before the next try.

use std::time::Duration;

/// Waits that double from a first one up to a cap, each shortened at random so that many clients don't come at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Backoff {
    first: Duration,
    cap: Duration,
    next: Duration,
}

impl Backoff {
    /// Waits from `first` to `cap`.
    pub fn new(first: Duration, cap: Duration) -> Self {
        Self {
            first,
            cap,
            next: first,
        }
    }

    /// The next wait: between half of the doubled value and all of it. `jitter` is random, from 0 to 1.
    pub fn next_wait(&mut self, jitter: f64) -> Duration {
        let wait = self.next.min(self.cap);
        self.next = (wait * 2).min(self.cap);
        wait.mul_f64(0.5 + jitter.clamp(0.0, 1.0) / 2.0)
    }

    /// Starts again from the first wait: a try succeeded.
    pub fn reset(&mut self) {
        self.next = self.first;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn waits_double_up_to_the_cap_and_start_again_after_a_success() {
        let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_millis(500));
        let waits: Vec<u128> = (0..5).map(|_| backoff.next_wait(1.0).as_millis()).collect();
        assert_eq!(waits, [100, 200, 400, 500, 500]);
        backoff.reset();
        assert_eq!(backoff.next_wait(0.0).as_millis(), 50);
    }

    proptest! {
        #[test]
        fn no_wait_is_over_the_cap_or_under_half_the_first(jitter: f64, tries in 0..100usize) {
            let (first, cap) = (Duration::from_millis(100), Duration::from_secs(10));
            let mut backoff = Backoff::new(first, cap);
            for _ in 0..tries {
                backoff.next_wait(0.3);
            }
            let wait = backoff.next_wait(jitter);
            prop_assert!(wait <= cap && wait >= first / 2);
        }
    }
}
