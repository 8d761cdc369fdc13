//! How a node stops, one phase after the other, and how its time is divided among them.

use std::time::Duration;

/// How long connections may take to send what they have when the node stops: what a peer does not read in that time it does
/// not want.
pub const CLOSE_TIMEOUT: Duration = Duration::from_secs(3);

/// What a node that stops does now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// It tells the registry: an eighth of the time. Where that does not answer, the node's lease ends anyway.
    Leaving,
    /// It tells its peers, and what goes on may finish, streams most of all: three quarters, as nothing else of a shutdown
    /// is of use to others. Not before the registry was told: peers that go elsewhere must not be sent here again.
    Finishing,
    /// The application does what it has to: an eighth, and what the work has left.
    Stopping,
    /// What is open is closed: at least an eighth, at most [`CLOSE_TIMEOUT`]. What a peer has not taken by then is lost.
    Closing,
    /// Nothing is left.
    Stopped,
}

/// The end of a node. What one phase leaves of its time, those behind it have.
///
/// Times are those since any fixed moment of a clock that never goes back.
#[derive(Debug, Clone)]
pub struct Shutdown {
    total: Duration,
    began: Duration,
    phase: Phase,
    /// Until when the present phase may take.
    until: Duration,
}

impl Shutdown {
    /// A shutdown that begins now, and takes at most `total`.
    pub fn new(total: Duration, now: Duration) -> Self {
        Self {
            total,
            began: now,
            phase: Phase::Leaving,
            until: now + total / 8,
        }
    }

    /// What the node does now.
    pub fn phase(&self) -> Phase {
        self.phase
    }

    /// Until when it may do so.
    pub fn until(&self) -> Duration {
        self.until
    }

    /// The present phase is over, or its time is.
    pub fn next(&mut self, now: Duration) -> Phase {
        let after = |part: Duration| self.began + part;
        (self.phase, self.until) = match self.phase {
            Phase::Leaving => (Phase::Finishing, after(self.total / 4 * 3)),
            Phase::Finishing => (Phase::Stopping, after(self.total / 8 * 7)),
            Phase::Stopping => (Phase::Closing, after(self.total).min(now + CLOSE_TIMEOUT)),
            Phase::Closing | Phase::Stopped => (Phase::Stopped, now),
        };
        self.phase
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn eight_seconds_are_six_for_work_and_one_each_for_the_rest() {
        let at = Duration::from_secs;
        let mut shutdown = Shutdown::new(at(8), at(100));
        assert_eq!((shutdown.phase(), shutdown.until()), (Phase::Leaving, at(101)));
        assert_eq!(shutdown.next(at(101)), Phase::Finishing);
        assert_eq!(shutdown.until(), at(106));
        assert_eq!(shutdown.next(at(106)), Phase::Stopping);
        assert_eq!(shutdown.until(), at(107));
        assert_eq!(shutdown.next(at(107)), Phase::Closing);
        assert_eq!(shutdown.until(), at(108));
        assert_eq!(shutdown.next(at(108)), Phase::Stopped);
        assert_eq!(shutdown.next(at(109)), Phase::Stopped);
    }

    #[test]
    fn connections_are_closed_in_a_moment_however_much_time_is_left() {
        let mut shutdown = Shutdown::new(Duration::from_secs(3600), Duration::ZERO);
        let now = Duration::from_secs(1);
        while shutdown.next(now) != Phase::Closing {}
        assert_eq!(shutdown.until(), now + CLOSE_TIMEOUT);
    }

    proptest! {
        #[test]
        fn every_phase_has_time_and_all_together_no_more_than_there_is(milliseconds in 10..24_000u64) {
            let total = Duration::from_millis(milliseconds);
            let mut shutdown = Shutdown::new(total, Duration::ZERO);
            let mut before = Duration::ZERO;
            while shutdown.phase() != Phase::Stopped {
                // Divisions round down.
                prop_assert!(shutdown.until() - before >= total / 8 - Duration::from_nanos(8));
                before = shutdown.until();
                shutdown.next(before);
            }
            prop_assert_eq!(before, total);
        }
    }
}
