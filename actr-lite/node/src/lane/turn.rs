use actr_lite_wire::send_queue::Precedence;

use crate::lane::lane::Lane;

/// One sender's turn at a lane's room.
///
/// Room is told to one waiter at a time. Whoever waited tells the next when it is done, whether it sent or gave up:
/// otherwise a waiter that gives up would leave the others asleep.
pub(crate) struct Turn<'a> {
    lane: &'a dyn Lane,
    precedence: Precedence,
    waited: bool,
}

impl<'a> Turn<'a> {
    pub(crate) fn new(lane: &'a dyn Lane, precedence: Precedence) -> Self {
        Self {
            lane,
            precedence,
            waited: false,
        }
    }

    /// Waits until there may be room.
    pub(crate) async fn wait(&mut self) {
        self.waited = true;
        self.lane.room(self.precedence).notified().await;
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        if self.waited {
            self.lane.room(self.precedence).notify_one();
        }
    }
}
