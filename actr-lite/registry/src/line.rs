use std::sync::{Arc, OnceLock};

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::sessions::{Dismissal, Notice, Told};

/// How the task of a signaling connection is reached by others.
#[derive(Debug, Default)]
pub(crate) struct Line {
    relays: Notify,
    dismissal: OnceLock<Dismissal>,
    is_dismissed: CancellationToken,
}

impl Line {
    /// Completes when there may be something to read from others, once for each time that this was told. Cancel safe.
    pub(crate) async fn relays(&self) {
        self.relays.notified().await;
    }

    /// That there is something to read.
    pub(crate) fn has_relays(&self) {
        self.relays.notify_one();
    }

    /// Completes when the connection is to end. Cancel safe.
    pub(crate) async fn dismissed(&self) -> Dismissal {
        loop {
            self.is_dismissed.cancelled().await;
            // It is there before the token is cancelled.
            if let Some(why) = self.dismissal() {
                return why;
            }
        }
    }

    /// Why the connection is to end, if it is.
    pub(crate) fn dismissal(&self) -> Option<Dismissal> {
        self.dismissal.get().copied()
    }
}

impl Notice<Arc<Line>> {
    /// Wakes the connection's task, so that it is for a time without locks.
    pub(crate) fn tell(self) {
        // What it was told first counts.
        let _ = self.to.dismissal.set(self.why);
        self.to.is_dismissed.cancel();
    }
}

impl Told<Arc<Line>> {
    /// Wakes the tasks of the connections, so that it is for a time without locks.
    pub(crate) fn tell(self) {
        self.woken.iter().for_each(|line| line.has_relays());
        self.dismissed.into_iter().for_each(Notice::tell);
    }
}
