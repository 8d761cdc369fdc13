//! What a peer has begun to send and not finished, and by when more of it has to come.

use std::{mem, time::Duration};

use actr_lite_wire::unfinished::Unfinished;
use thiserror::Error;

/// What has come of records that are not whole.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Partial {
    /// How many bytes; none: there is no such record.
    pub len: usize,
    /// How many were whole before.
    pub whole_records: u64,
}

/// Follows what a peer has begun to send. Times are since any fixed moment of a clock that never goes back.
#[derive(Debug)]
pub struct Begun {
    /// How long the peer may take with what makes some progress.
    timeout: Duration,
    partial: Partial,
    unfinished: Unfinished,
}

/// A peer does not go on with what it has begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error(
    "a message or record was begun, {len} bytes of it came, and not enough of the rest in time \
     (system.limits.stall_timeout)"
)]
pub struct Stalled {
    /// How much has come of it.
    pub len: usize,
}

impl Begun {
    /// Nothing is begun.
    pub fn new(timeout: Duration) -> Self {
        Self {
            timeout,
            partial: Partial::default(),
            unfinished: Unfinished::default(),
        }
    }

    /// So much has come by now.
    pub fn note(&mut self, partial: Partial, now: Duration) {
        let before = mem::replace(&mut self.partial, partial);
        if before.whole_records != partial.whole_records {
            self.unfinished = Unfinished::default();
        }
        self.unfinished.note(partial.len, now);
    }

    /// What was begun is whole.
    pub fn finish(&mut self) {
        self.unfinished = Unfinished::default();
    }

    /// Gives the peer all its time again: this side did not read.
    pub fn excuse(&mut self, now: Duration) {
        self.unfinished.excuse(now);
    }

    /// By when more has to come, if something is begun.
    ///
    /// # Errors
    /// When that time is over.
    pub fn deadline(&self, now: Duration) -> Result<Option<Duration>, Stalled> {
        let deadline = self.unfinished.deadline(self.timeout);
        match deadline {
            Some(deadline) if now >= deadline => Err(Stalled { len: self.partial.len }),
            deadline => Ok(deadline),
        }
    }
}

#[cfg(test)]
mod tests {
    use actr_lite_wire::unfinished::LEAST_PROGRESS;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn partial(len: usize, whole_records: u64) -> Partial {
        Partial { len, whole_records }
    }

    #[test]
    fn who_makes_progress_has_more_time() {
        let mut begun = Begun::new(10 * SECOND);
        assert_eq!(begun.deadline(SECOND), Ok(None));
        for second in 1..100 {
            begun.note(partial(second as usize * LEAST_PROGRESS, 0), SECOND * second);
            assert_eq!(begun.deadline(SECOND * second), Ok(Some(SECOND * (second + 10))));
        }
        begun.note(partial(100 * LEAST_PROGRESS - 1, 0), 100 * SECOND);
        let len = 100 * LEAST_PROGRESS - 1;
        assert_eq!(begun.deadline(109 * SECOND), Err(Stalled { len }));
        assert!(Stalled { len }.to_string().contains("6553599 bytes of it came"));
    }

    #[test]
    fn each_record_has_its_own_time() {
        let mut begun = Begun::new(10 * SECOND);
        begun.note(partial(10, 0), SECOND);
        begun.note(partial(10, 1), 2 * SECOND);
        assert_eq!(begun.deadline(11 * SECOND), Ok(Some(12 * SECOND)));
        begun.note(partial(0, 2), 3 * SECOND);
        assert_eq!(begun.deadline(100 * SECOND), Ok(None));
    }
}
