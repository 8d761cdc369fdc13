use std::time::Duration;

use actr_lite_engine::patience;
use tokio::time::{Instant, sleep_until};

use crate::lane::lane::Lane;

/// How long this node waits for a peer to take something, while that takes other records or none.
pub(crate) struct Patience {
    began: Instant,
    machine: patience::Patience,
}

impl Patience {
    pub(crate) fn new(lane: &dyn Lane, timeout: Duration) -> Self {
        Self {
            began: Instant::now(),
            machine: patience::Patience::new(timeout, lane.sent(), Duration::ZERO),
        }
    }

    /// Completes when the peer has had its time.
    ///
    /// # Cancel safety
    /// Called again, it goes on.
    pub(crate) async fn run_out(&mut self, lane: &dyn Lane) {
        while let Some(deadline) = self.machine.deadline(lane.sent(), self.began.elapsed()) {
            sleep_until(self.began + deadline).await;
        }
    }
}
