//! How long a node waits for a peer to take something.

use std::time::Duration;

use actr_lite_wire::unfinished::LEAST_PROGRESS;

/// How often a wait is longer because the peer takes other records meanwhile: on a link of 5 KB/s the longest record of the
/// usual limit takes a quarter of an hour, and it may stand behind another.
const MAX_EXTENSIONS: u32 = 8;

/// How long this node waits for a peer to take something. A peer that takes other records, and not just a trickle, has
/// more time, but not without an end; pings and pongs change nothing.
///
/// Times are those since any fixed moment of a clock that never goes back.
#[derive(Debug, Clone)]
pub struct Patience {
    timeout: Duration,
    deadline: Duration,
    /// What the peer had been sent when the deadline was set.
    sent: u64,
    extensions: u32,
}

impl Patience {
    /// Waits from now on; the peer was sent so many bytes of records before.
    pub fn new(timeout: Duration, sent: u64, now: Duration) -> Self {
        Self {
            timeout,
            deadline: now + timeout,
            sent,
            extensions: MAX_EXTENSIONS,
        }
    }

    /// Until when to wait before asking again, where the peer was sent so much by now; `None` if it has had its time.
    pub fn deadline(&mut self, sent: u64, now: Duration) -> Option<Duration> {
        while now >= self.deadline {
            if self.extensions == 0 || sent - self.sent < LEAST_PROGRESS as u64 {
                return None;
            }
            self.extensions -= 1;
            self.sent = sent;
            self.deadline += self.timeout;
        }
        Some(self.deadline)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIMEOUT: Duration = Duration::from_secs(10);
    const PROGRESS: u64 = LEAST_PROGRESS as u64;

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn a_peer_that_takes_a_trickle_has_no_more_time() {
        let mut patience = Patience::new(TIMEOUT, 1000, at(5));
        assert_eq!(patience.deadline(1000, at(5)), Some(at(15)));
        assert_eq!(patience.deadline(1000, at(14)), Some(at(15)));
        let mut taking = patience.clone();
        assert_eq!(patience.deadline(1000 + PROGRESS - 1, at(15)), None);
        assert_eq!(taking.deadline(1000 + PROGRESS, at(15)), Some(at(25)));
        assert_eq!(taking.deadline(1000 + PROGRESS, at(25)), None, "and nothing since");
    }

    #[test]
    fn a_peer_that_takes_other_things_for_ever_has_its_end_too() {
        let mut patience = Patience::new(TIMEOUT, 0, at(0));
        let mut extended = 0;
        while patience
            .deadline((extended + 1) * PROGRESS, at(10 * (extended + 1)))
            .is_some()
        {
            extended += 1;
        }
        assert_eq!(extended, u64::from(MAX_EXTENSIONS));
    }
}
