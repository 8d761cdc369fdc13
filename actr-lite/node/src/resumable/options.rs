use std::time::Duration;

use actr_lite_engine::resumption::Limits;

use crate::actor::budget::Budget;

/// How long a stream may be without frames.
#[derive(Debug, Clone, Copy)]
pub struct ResumeOptions {
    /// What finding a server, connecting to it, asking it, and waiting for its first frame may take together. It starts
    /// with the budget, and again with each break; only a delivered frame restarts it.
    pub budget: Budget,
    /// How long a server that has agreed may take to send its first frame, if that is longer than what is left of the
    /// budget; `None` if the budget is enough.
    pub first_frame: Option<Duration>,
    /// How long a server that has sent a frame may take to send the next one; `None` means no limit.
    pub idle_timeout: Option<Duration>,
}

impl ResumeOptions {
    /// One budget for all, and a stream that may be as slow as it likes.
    pub fn new(budget: Budget) -> Self {
        Self {
            budget,
            first_frame: None,
            idle_timeout: None,
        }
    }

    /// The same with a limit for the time between two frames, if there is one.
    pub fn with_idle_timeout(self, idle_timeout: Option<Duration>) -> Self {
        Self { idle_timeout, ..self }
    }

    pub(super) fn limits(&self) -> Limits {
        Limits {
            timeout: self.budget.timeout(),
            first_frame: self.first_frame,
            idle_timeout: self.idle_timeout,
        }
    }
}
