use std::time::Duration;

/// How the time of a shutdown is divided: until when each of its steps may take, counted from its start. What one step
/// leaves, those behind it have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ShutdownBudget {
    total: Duration,
}

impl ShutdownBudget {
    /// A shutdown that takes at most `total`.
    pub(crate) fn new(total: Duration) -> Self {
        Self { total }
    }

    /// Telling the registry: an eighth. Where it does not answer, its lease ends anyway.
    pub(crate) fn leave_until(self) -> Duration {
        self.total / 8
    }

    /// What goes on already, streams most of all: three quarters, as nothing else of a shutdown is of use to others.
    pub(crate) fn work_until(self) -> Duration {
        self.total / 4 * 3
    }

    /// `on_stop`: an eighth, and what the work has left.
    pub(crate) fn on_stop_until(self) -> Duration {
        self.total / 8 * 7
    }

    /// Closing what is open: at least an eighth. What a peer has not taken by then is lost.
    pub(crate) fn close_until(self) -> Duration {
        self.total
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn eight_seconds_are_six_for_work_and_one_each_for_the_rest() {
        let budget = ShutdownBudget::new(Duration::from_secs(8));
        let steps = [
            budget.leave_until(),
            budget.work_until(),
            budget.on_stop_until(),
            budget.close_until(),
        ];
        assert_eq!(steps, [1, 6, 7, 8].map(Duration::from_secs));
    }

    proptest! {
        #[test]
        fn every_step_has_time_and_all_together_no_more_than_there_is(milliseconds in 10..86_400_000u64) {
            let total = Duration::from_millis(milliseconds);
            let budget = ShutdownBudget::new(total);
            let mut before = Duration::ZERO;
            for until in [budget.leave_until(), budget.work_until(), budget.on_stop_until(), budget.close_until()] {
                // Divisions round down.
                prop_assert!(until - before >= total / 8 - Duration::from_nanos(8));
                before = until;
            }
            prop_assert_eq!(before, total);
        }
    }
}
