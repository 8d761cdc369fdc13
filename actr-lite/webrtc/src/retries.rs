//! When a session that could not be made is tried again.

use std::time::Duration;

/// The pauses before a session is tried again (actr 0.4.21).
pub const PAUSES: [Duration; 3] = [Duration::from_secs(1), Duration::from_secs(2), Duration::from_secs(4)];

/// How often it was tried.
#[derive(Debug, Default)]
pub(crate) struct Retries {
    failures: usize,
}

impl Retries {
    /// The pause before the next try; none after the last one, and then counting starts again.
    pub(crate) fn next(&mut self) -> Option<Duration> {
        let pause = PAUSES.get(self.failures).copied();
        self.failures = pause.map_or(0, |_| self.failures + 1);
        pause
    }

    /// There is a session: counting starts again.
    pub(crate) fn reset(&mut self) {
        self.failures = 0;
    }

    /// Trying again is no use.
    pub(crate) fn exhaust(&mut self) {
        self.failures = PAUSES.len();
    }
}
