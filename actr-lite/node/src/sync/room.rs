//! Who is told when there may be room again.

use crate::sync::primitives::Notify;

/// Where senders wait that were refused for want of room.
#[derive(Debug, Default)]
pub(crate) struct Room(Notify);

impl Room {
    /// There may be room: one who waits looks, or the next who comes.
    pub(crate) fn tell_one(&self) {
        self.0.notify_one();
    }

    /// There will be no room any more, or for everybody: all who wait look, and the next who comes.
    pub(crate) fn tell_all(&self) {
        self.0.notify_waiters();
        self.0.notify_one();
    }

    /// For a sender that was refused.
    pub(crate) fn turn(&self) -> Turn<'_> {
        Turn {
            room: self,
            waited: false,
        }
    }
}

/// One sender's turn at the room.
///
/// Room is told to one waiter at a time. Whoever waited tells the next when it is done, whether it sent or gave up:
/// otherwise a waiter that gives up would leave the others asleep.
#[derive(Debug)]
pub(crate) struct Turn<'a> {
    room: &'a Room,
    waited: bool,
}

impl Turn<'_> {
    /// Waits until there may be room.
    ///
    /// # Cancel safety
    /// What it was told is not lost: the next wait, or the next sender, has it.
    pub(crate) async fn wait(&mut self) {
        self.waited = true;
        self.room.0.notified().await;
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        if self.waited {
            self.room.tell_one();
        }
    }
}
