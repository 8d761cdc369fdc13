use std::time::{Duration, Instant};

/// A timeout that several steps share. It starts when it is made.
#[derive(Debug, Clone, Copy)]
pub struct Budget {
    started: Instant,
    timeout: Duration,
}

impl Budget {
    /// This much time, from now on.
    pub fn new(timeout: Duration) -> Self {
        Self {
            started: Instant::now(),
            timeout,
        }
    }

    /// All of it.
    pub fn timeout(&self) -> Duration {
        self.timeout
    }

    /// What is left of it; zero when it is over.
    pub fn left(&self) -> Duration {
        self.timeout.saturating_sub(self.elapsed())
    }

    /// How much is used; more than the timeout once it is over.
    pub(crate) fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }
}
