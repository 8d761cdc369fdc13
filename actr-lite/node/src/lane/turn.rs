use actr_lite_wire::record::RecordKind;

use super::Lane;

/// One sender's turn at a lane's room.
///
/// Room is told to one waiter at a time. Whoever waited tells the next when it is done, whether it sent or gave up:
/// otherwise a waiter that gives up would leave the others asleep.
pub(crate) struct Turn<'a> {
    lane: &'a dyn Lane,
    kind: RecordKind,
    waited: bool,
}

impl<'a> Turn<'a> {
    pub(crate) fn new(lane: &'a dyn Lane, kind: RecordKind) -> Self {
        Self {
            lane,
            kind,
            waited: false,
        }
    }

    /// Waits until there may be room.
    pub(crate) async fn wait(&mut self) {
        self.waited = true;
        self.lane.room(self.kind).notified().await;
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        if self.waited {
            self.lane.room(self.kind).notify_one();
        }
    }
}
