use loom::sync::atomic::{AtomicUsize, Ordering};
use tokio::sync;

/// Tokio's, each call of it a step for loom: what happens within one is what Tokio's own tests check.
#[derive(Debug, Default)]
pub(crate) struct Notify {
    tokio: sync::Notify,
    steps: AtomicUsize,
}

impl Notify {
    pub(crate) fn notify_one(&self) {
        self.step();
        self.tokio.notify_one();
    }

    pub(crate) fn notify_waiters(&self) {
        self.step();
        self.tokio.notify_waiters();
    }

    pub(crate) async fn notified(&self) {
        self.step();
        self.tokio.notified().await;
    }

    fn step(&self) {
        self.steps.fetch_add(1, Ordering::AcqRel);
    }
}
