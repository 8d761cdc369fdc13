use std::time::Duration;

use actr_lite_wire::unfinished::LEAST_PROGRESS;
use tokio::time::{Instant, sleep_until};

use crate::lane::lane::Lane;

/// How often a wait is longer because the peer takes other records meanwhile: on a link of 5 KB/s the longest record of the
/// usual limit takes a quarter of an hour, and it may stand behind another.
const MAX_EXTENSIONS: u32 = 8;

/// How long this node waits for a peer to take something. A peer that takes other records, and not just a trickle, has
/// more time, but not without an end; pings and pongs change nothing.
pub(crate) struct Patience {
    timeout: Duration,
    deadline: Instant,
    /// What the peer had been sent when the deadline was set.
    sent: u64,
    extensions: u32,
}

impl Patience {
    pub(crate) fn new(lane: &dyn Lane, timeout: Duration) -> Self {
        Self {
            timeout,
            deadline: Instant::now() + timeout,
            sent: lane.sent(),
            extensions: MAX_EXTENSIONS,
        }
    }

    /// Completes when the peer has had its time.
    ///
    /// # Cancel safety
    /// Called again, it goes on.
    pub(crate) async fn run_out(&mut self, lane: &dyn Lane) {
        loop {
            sleep_until(self.deadline).await;
            let sent = lane.sent();
            if self.extensions == 0 || sent - self.sent < LEAST_PROGRESS as u64 {
                return;
            }
            self.extensions -= 1;
            self.sent = sent;
            self.deadline += self.timeout;
        }
    }
}
