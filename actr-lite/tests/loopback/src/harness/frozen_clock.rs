//! Limits of a rate, without the time in which something of it comes back.

use std::sync::mpsc::{Sender, channel};

use tokio::{task::spawn_blocking, time};

/// The time of the test's runtime stands still until this is dropped. No timeout passes meanwhile.
pub(crate) struct FrozenClock {
    /// Ends the task without which a runtime that waits for sockets alone would go on to the next timer.
    _busy: Sender<()>,
}

impl FrozenClock {
    /// From now on, in a runtime of one thread.
    pub(crate) fn start() -> Self {
        let (busy, ended) = channel();
        time::pause();
        spawn_blocking(move || ended.recv());
        Self { _busy: busy }
    }
}

impl Drop for FrozenClock {
    fn drop(&mut self) {
        time::resume();
    }
}
