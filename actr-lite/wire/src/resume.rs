//! What a receiver knows of a stream that may come from several senders, one after the other.
//!
//! A sender can vanish in the middle. The receiver then asks the next one for the same stream, with the hint
//! [`RESUME_AFTER`], and hands each frame over once: frames that it had before are dropped, and a gap ends the try.
//!
//! Times are durations since any fixed moment of a clock that never goes back.

use std::time::Duration;

use crate::{backoff::Backoff, identity::ActrId};

/// The call metadata that asks a sender to start behind a frame: its value is that frame's number, in decimal.
///
/// This project's own. A sender that does not know it starts at 1, and the receiver drops what it had.
pub const RESUME_AFTER: &str = "stream-resume-after";

/// The wait after the first try that fails.
pub const FIRST_WAIT: Duration = Duration::from_millis(50);

/// The longest wait between two tries: a person notices little more, and a registry bears a few thousand clients that
/// ask twice a second.
pub const MAX_WAIT: Duration = Duration::from_secs(1);

/// A stream of a known number of frames, each to be handed over once and in order, whoever sends it.
#[derive(Debug, Clone)]
pub struct Resume {
    expected: u64,
    delivered: u64,
    duplicates: u64,
    resumes: u64,
    /// How long there may be no live stream.
    patience: Duration,
    /// What of it is used up by breaks without a frame in between.
    used: Duration,
    /// Since when there has been no live stream; none while there is one.
    broken_since: Option<Duration>,
    was_live: bool,
    backoff: Backoff,
    /// It has been tried since a frame was last handed over.
    was_tried: bool,
    /// A frame was handed over since the last break.
    has_progressed: bool,
}

/// What to do with a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Observed {
    /// It is the next one.
    Deliver,
    /// It was handed over before: drop it.
    Duplicate,
    /// All were handed over, and this is none of them: drop it.
    Surplus,
    /// Frames before it are missing: this sender's stream is of no use any more.
    Gap {
        /// The number that should have come.
        expected: u64,
    },
}

impl Resume {
    /// Waits for a first sender from `now` on.
    pub fn new(expected: u64, patience: Duration, now: Duration) -> Self {
        Self {
            expected,
            delivered: 0,
            duplicates: 0,
            resumes: 0,
            patience,
            used: Duration::ZERO,
            broken_since: Some(now),
            was_live: false,
            backoff: Backoff::new(FIRST_WAIT, MAX_WAIT),
            was_tried: false,
            has_progressed: false,
        }
    }

    /// Looks at the number of a frame that came. Numbers count from 1.
    #[inline]
    pub fn observe(&mut self, sequence: u64) -> Observed {
        let next = self.delivered + 1;
        if sequence == next && next <= self.expected {
            self.delivered = next;
            self.has_progressed = true;
            return Observed::Deliver;
        }
        if sequence <= self.delivered {
            self.duplicates += 1;
            return Observed::Duplicate;
        }
        if self.is_complete() {
            return Observed::Surplus;
        }
        Observed::Gap { expected: next }
    }

    /// A sender has agreed to send the stream.
    pub fn live(&mut self, now: Duration) {
        if let Some(since) = self.broken_since.take() {
            self.used += now.saturating_sub(since);
        }
        self.resumes += u64::from(self.was_live);
        self.was_live = true;
    }

    /// The sender's stream is over or of no use, and frames are missing: another one is needed.
    ///
    /// Clock and waits start anew if a frame was handed over since the last break: senders that agree and then send
    /// nothing neither keep the receiver for ever, nor are asked without a pause.
    pub fn broke(&mut self, now: Duration) {
        let since = self.broken_since.get_or_insert(now);
        if std::mem::take(&mut self.has_progressed) {
            *since = now;
            self.used = Duration::ZERO;
            self.was_tried = false;
            self.backoff.reset();
        }
    }

    /// How long to wait before the next try; none when the time without a live stream would be over by then.
    ///
    /// The first try after a frame was handed over comes at once. None waits for more than half of what is left, so that
    /// the last ones still have time to succeed. `jitter` is random, from 0 to 1.
    pub fn next_try(&mut self, now: Duration, jitter: f64) -> Option<Duration> {
        let left = self.left(now);
        if !std::mem::replace(&mut self.was_tried, true) {
            return (!left.is_zero()).then_some(Duration::ZERO);
        }
        let wait = self.backoff.next_wait(jitter).min(left / 2);
        (left > FIRST_WAIT).then_some(wait)
    }

    /// How much longer there may be no live stream.
    pub fn left(&self, now: Duration) -> Duration {
        let broken_for = self
            .broken_since
            .map_or(Duration::ZERO, |since| now.saturating_sub(since));
        self.patience.saturating_sub(self.used + broken_for)
    }

    /// How many frames are to come in all.
    pub fn expected(&self) -> u64 {
        self.expected
    }

    /// The last frame handed over, which is also how many were.
    pub fn delivered(&self) -> u64 {
        self.delivered
    }

    /// How many frames came that had been handed over before.
    pub fn duplicates(&self) -> u64 {
        self.duplicates
    }

    /// Whether a sender has agreed before: the next one that does takes over.
    pub fn was_live(&self) -> bool {
        self.was_live
    }

    /// How many times a sender has taken over from another, or from itself.
    pub fn resumes(&self) -> u64 {
        self.resumes
    }

    /// Whether all frames were handed over.
    pub fn is_complete(&self) -> bool {
        self.delivered == self.expected
    }
}

/// Whom to ask, in this order: all but the one that has just failed, unless there is nobody else.
pub fn without_failed(mut candidates: Vec<ActrId>, failed: Option<&ActrId>) -> Vec<ActrId> {
    if candidates.iter().any(|candidate| Some(candidate) != failed) {
        candidates.retain(|candidate| Some(candidate) != failed);
    }
    candidates
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(10);

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    proptest! {
        #[test]
        fn each_frame_is_handed_over_once_and_in_order_whatever_comes(
            numbers in vec(0..25u64, 0..200),
            expected in 0..20u64,
        ) {
            let mut resume = Resume::new(expected, PATIENCE, Duration::ZERO);
            let (mut handed_over, mut dropped) = (Vec::new(), 0);
            for number in numbers {
                match resume.observe(number) {
                    Observed::Deliver => handed_over.push(number),
                    Observed::Duplicate => {
                        prop_assert!(number <= handed_over.len() as u64);
                        dropped += 1;
                    }
                    Observed::Surplus => prop_assert!(number > expected && handed_over.len() as u64 == expected),
                    Observed::Gap { expected } => {
                        prop_assert_eq!(expected, handed_over.len() as u64 + 1);
                        prop_assert!(number > expected);
                    }
                }
            }
            let count = handed_over.len() as u64;
            prop_assert_eq!(&handed_over, &(1..=count).collect::<Vec<_>>());
            prop_assert!(count <= expected);
            prop_assert_eq!((resume.delivered(), resume.duplicates()), (count, dropped));
            prop_assert_eq!(resume.is_complete(), count == expected);
        }

        #[test]
        fn tries_end_when_patience_does_and_hardly_before(jitter in vec(0.0..1.0f64, 1000)) {
            let mut now = seconds(100);
            let mut resume = Resume::new(5, PATIENCE, now);
            let mut tries = 0;
            for jitter in jitter {
                let Some(wait) = resume.next_try(now, jitter) else { break };
                prop_assert!(wait <= MAX_WAIT);
                tries += 1;
                now += wait;
            }
            let waited = now - seconds(100);
            prop_assert!(waited < PATIENCE && waited + FIRST_WAIT >= PATIENCE, "{waited:?}");
            prop_assert!((10..60).contains(&tries), "{tries} tries");
        }
    }

    #[test]
    fn a_break_after_a_frame_is_tried_at_once_and_the_clock_starts_anew() {
        let mut resume = Resume::new(5, PATIENCE, seconds(0));
        assert_eq!(resume.next_try(seconds(0), 0.5), Some(Duration::ZERO));
        assert!(resume.next_try(seconds(0), 0.5).is_some_and(|wait| !wait.is_zero()));
        resume.live(seconds(9));
        assert_eq!(resume.observe(1), Observed::Deliver);
        resume.broke(seconds(500));
        assert_eq!(resume.left(seconds(500)), PATIENCE);
        assert_eq!(resume.next_try(seconds(500), 0.5), Some(Duration::ZERO));
        assert_eq!(resume.left(seconds(504)), seconds(6));
        assert_eq!(resume.next_try(seconds(510), 0.5), None);
        assert_eq!(resume.resumes(), 0);
        resume.live(seconds(509));
        assert_eq!(resume.resumes(), 1);
    }

    #[test]
    fn senders_that_agree_and_send_nothing_use_patience_up() {
        let mut resume = Resume::new(5, PATIENCE, seconds(0));
        let mut now = seconds(0);
        let mut lives = 0;
        while let Some(wait) = resume.next_try(now, 0.5) {
            now += wait;
            resume.live(now);
            lives += 1;
            // As long as it is live it costs nothing.
            now += seconds(60);
            resume.broke(now);
        }
        assert!((10..30).contains(&lives), "{lives} tries");
    }

    #[test]
    fn the_one_that_failed_is_asked_only_if_there_is_nobody_else() {
        let id = |serial| ActrId::new(1, serial, "acme+Echo".parse().unwrap());
        assert_eq!(without_failed(vec![id(1), id(2), id(3)], Some(&id(2))), [id(1), id(3)]);
        assert_eq!(without_failed(vec![id(2)], Some(&id(2))), [id(2)]);
        assert_eq!(without_failed(vec![id(2)], None), [id(2)]);
        assert_eq!(without_failed(Vec::new(), Some(&id(2))), []);
    }
}
