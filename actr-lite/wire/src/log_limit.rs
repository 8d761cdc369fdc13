//! How many lines a log takes of one kind of event.
//!
//! A peer that makes a program write lines without a bound fills its disk and hides what matters. Within a window the
//! first lines are written; the rest are counted, and one line sums them up when the window is over.

use std::time::Duration;

/// How many lines one window takes: enough to see which peers they are and what they do.
pub const LINES_PER_WINDOW: u32 = 10;

/// How long a window lasts from its first line: with the lines above a flood writes about one line a second.
pub const WINDOW: Duration = Duration::from_secs(10);

/// What happens to a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogLine {
    /// It is written.
    Written,
    /// It is counted. Where there is a time, nobody has been asked yet to sum up: call [`LogLimit::sum_up`] then.
    Counted {
        /// When the window is over.
        sum_up_at: Option<Duration>,
    },
}

/// Decides which lines are written. Times are of one clock that only runs forward.
#[derive(Debug)]
pub struct LogLimit {
    /// How many lines one window takes.
    lines_per_window: u32,
    /// When the window began.
    since: Option<Duration>,
    /// How many lines it has counted.
    lines: u32,
    /// How many lines were not written since the last summary.
    counted: u64,
    /// A summary was asked for.
    is_due: bool,
}

impl Default for LogLimit {
    /// [`LINES_PER_WINDOW`] lines.
    fn default() -> Self {
        Self::new(LINES_PER_WINDOW)
    }
}

impl LogLimit {
    /// So many lines in a [`WINDOW`].
    pub fn new(lines_per_window: u32) -> Self {
        Self {
            lines_per_window,
            since: None,
            lines: 0,
            counted: 0,
            is_due: false,
        }
    }

    /// One more event.
    pub fn line(&mut self, now: Duration) -> LogLine {
        let since = match self.since {
            Some(since) if now < since.saturating_add(WINDOW) => since,
            _ => {
                self.since = Some(now);
                self.lines = 0;
                now
            }
        };
        if self.lines < self.lines_per_window {
            self.lines += 1;
            return LogLine::Written;
        }
        self.counted += 1;
        let is_first = !std::mem::replace(&mut self.is_due, true);
        LogLine::Counted {
            sum_up_at: is_first.then(|| since.saturating_add(WINDOW)),
        }
    }

    /// How many lines were not written since this was last called; `None` if there were none.
    pub fn sum_up(&mut self) -> Option<u64> {
        self.is_due = false;
        let counted = std::mem::take(&mut self.counted);
        (counted > 0).then_some(counted)
    }
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn beyond_a_few_lines_a_window_is_only_counted() {
        let mut limit = LogLimit::default();
        let start = 7 * SECOND;
        for _ in 0..LINES_PER_WINDOW {
            assert_eq!(limit.line(start), LogLine::Written);
        }
        let sum_up_at = Some(start + WINDOW);
        assert_eq!(limit.line(start + SECOND), LogLine::Counted { sum_up_at });
        for _ in 0..992 {
            assert_eq!(limit.line(start + SECOND), LogLine::Counted { sum_up_at: None });
        }
        assert_eq!(limit.sum_up(), Some(993));
        assert_eq!(limit.sum_up(), None);
        assert_eq!(limit.line(start + WINDOW), LogLine::Written);
    }

    #[test]
    fn single_events_far_apart_are_all_written() {
        let mut limit = LogLimit::default();
        for number in 0..1000 {
            assert_eq!(limit.line(number * 2 * SECOND), LogLine::Written);
        }
        assert_eq!(limit.sum_up(), None);
    }

    #[test]
    fn a_summary_that_is_late_takes_the_next_windows_lines_too() {
        let mut limit = LogLimit::default();
        for _ in 0..=LINES_PER_WINDOW {
            limit.line(SECOND);
        }
        for _ in 0..LINES_PER_WINDOW {
            assert_eq!(limit.line(20 * SECOND), LogLine::Written);
        }
        assert_eq!(limit.line(20 * SECOND), LogLine::Counted { sum_up_at: None });
        assert_eq!(limit.sum_up(), Some(2));
    }

    proptest! {
        #[test]
        fn no_line_is_forgotten_and_no_window_has_too_many(steps in vec(0..3000u64, 0..400)) {
            let mut limit = LogLimit::default();
            let mut now = Duration::ZERO;
            let mut written = Vec::new();
            let (mut summed, mut due) = (0, None);
            for step in &steps {
                now += Duration::from_millis(*step);
                if due.is_some_and(|due| now >= due) {
                    summed += limit.sum_up().unwrap_or(0);
                    due = None;
                }
                match limit.line(now) {
                    LogLine::Written => written.push(now),
                    LogLine::Counted { sum_up_at: Some(at) } => {
                        prop_assert!(due.is_none(), "a second summary was asked for");
                        prop_assert!(at > now && at <= now + WINDOW);
                        due = Some(at);
                    }
                    LogLine::Counted { sum_up_at: None } => prop_assert!(due.is_some(), "nobody sums up"),
                }
            }
            summed += limit.sum_up().unwrap_or(0);
            prop_assert_eq!(written.len() as u64 + summed, steps.len() as u64);
            // Two windows side by side may have their lines at the seam.
            for (index, first) in written.iter().enumerate() {
                let near = written[index..].iter().filter(|line| **line < *first + WINDOW).count();
                prop_assert!(near <= 2 * LINES_PER_WINDOW as usize, "{} lines in a window", near);
            }
        }
    }
}
