//! When to try again, and when to stop trying.
//!
//! Times are durations since any fixed moment of a clock that never goes back.

use std::time::Duration;

use actr_lite_wire::backoff::Backoff;

/// The wait after the first try that fails.
pub const FIRST_WAIT: Duration = Duration::from_millis(50);

/// The longest wait between two tries: hardly noticeable for a person, and a registry can serve a few thousand clients
/// that ask twice a second.
pub const MAX_WAIT: Duration = Duration::from_secs(1);

/// A time limit for something that is tried again and again, such as a stream's next frame, and the waits between tries.
///
/// The limit covers everything that lies between two frames: finding a sender, reaching it, asking it, and its first
/// frame. Only a delivered frame restarts it, so that senders that agree and send nothing, or break off again and again,
/// don't keep a receiver forever.
#[derive(Debug, Clone)]
pub struct Retry {
    timeout: Duration,
    /// Since when a frame is waited for; `None` while a sender sends.
    waiting_since: Option<Duration>,
    backoff: Backoff,
    /// It has been tried since a frame was last handed over.
    was_tried: bool,
}

impl Retry {
    /// Waits for a first sender, and its first frame, from `now` on and no longer than `timeout`.
    pub fn new(timeout: Duration, now: Duration) -> Self {
        Self {
            timeout,
            waiting_since: Some(now),
            backoff: Backoff::new(FIRST_WAIT, MAX_WAIT),
            was_tried: false,
        }
    }

    /// The present sender's first frame was handed over: from now on it may be as slow as it likes.
    pub fn progressed(&mut self) {
        self.waiting_since = None;
        self.was_tried = false;
        self.backoff.reset();
    }

    /// The present sender is lost, or was none.
    pub fn broke(&mut self, now: Duration) {
        self.waiting_since.get_or_insert(now);
    }

    /// How long to wait before the next try; `None` if the time is over by then.
    ///
    /// The first try after a delivered frame is immediate. No try waits for more than half of what is left, so that
    /// the last ones still have time to succeed. `jitter` is random, from 0 to 1.
    pub fn next_try(&mut self, now: Duration, jitter: f64) -> Option<Duration> {
        let left = self.left(now);
        if !std::mem::replace(&mut self.was_tried, true) {
            return (!left.is_zero()).then_some(Duration::ZERO);
        }
        let wait = self.backoff.next_wait(jitter).min(left / 2);
        (left > FIRST_WAIT).then_some(wait)
    }

    /// How much longer a frame may be waited for.
    pub fn left(&self, now: Duration) -> Duration {
        let waited = self
            .waiting_since
            .map_or(Duration::ZERO, |since| now.saturating_sub(since));
        self.timeout.saturating_sub(waited)
    }
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;

    const TIMEOUT: Duration = Duration::from_secs(10);

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    proptest! {
        #[test]
        fn tries_end_when_the_time_does_and_hardly_before(jitter in vec(0.0..1.0f64, 1000)) {
            let mut now = seconds(100);
            let mut retry = Retry::new(TIMEOUT, now);
            let mut tries = 0;
            for jitter in jitter {
                let Some(wait) = retry.next_try(now, jitter) else { break };
                prop_assert!(wait <= MAX_WAIT);
                tries += 1;
                now += wait;
            }
            let waited = now - seconds(100);
            prop_assert!(waited < TIMEOUT && waited + FIRST_WAIT >= TIMEOUT, "{waited:?}");
            prop_assert!((10..60).contains(&tries), "{tries} tries");
        }
    }

    #[test]
    fn after_a_frame_it_is_tried_at_once_with_all_the_time() {
        let mut retry = Retry::new(TIMEOUT, seconds(0));
        assert_eq!(retry.next_try(seconds(0), 0.5), Some(Duration::ZERO));
        assert!(retry.next_try(seconds(0), 0.5).is_some_and(|wait| !wait.is_zero()));
        assert_eq!(retry.left(seconds(9)), seconds(1));
        retry.progressed();
        // While a sender sends, time does not count.
        assert_eq!(retry.left(seconds(500)), TIMEOUT);
        retry.broke(seconds(500));
        assert_eq!(retry.next_try(seconds(500), 0.5), Some(Duration::ZERO));
        assert_eq!(retry.left(seconds(504)), seconds(6));
        assert_eq!(retry.next_try(seconds(510), 0.5), None);
    }

    #[test]
    fn senders_that_send_nothing_use_the_time_up() {
        let mut retry = Retry::new(TIMEOUT, seconds(0));
        let mut now = seconds(0);
        let mut tries = 0;
        while let Some(wait) = retry.next_try(now, 0.5) {
            // It agrees, and breaks off a second later.
            now += wait + seconds(1);
            retry.broke(now);
            tries += 1;
        }
        assert!((5..=10).contains(&tries), "{tries} tries");
        assert!(now >= TIMEOUT && now <= TIMEOUT + seconds(2), "{now:?}");
    }

    #[test]
    fn no_try_begins_in_the_last_moment() {
        let mut retry = Retry::new(TIMEOUT, seconds(0));
        assert_eq!(retry.next_try(seconds(0), 1.0), Some(Duration::ZERO));
        assert_eq!(retry.next_try(seconds(0), 1.0), Some(FIRST_WAIT));
        let late = TIMEOUT - FIRST_WAIT;
        assert_eq!(retry.next_try(late, 1.0), None);
        let earlier = late - Duration::from_millis(2);
        assert_eq!(retry.next_try(earlier, 1.0), Some(Duration::from_millis(26)));
    }
}
