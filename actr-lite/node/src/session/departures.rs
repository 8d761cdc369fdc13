use std::{
    collections::HashSet,
    sync::{Mutex, MutexGuard, PoisonError},
};

use actr_lite_wire::identity::ActrId;
use tokio::sync::Notify;

/// The connected peers that have announced their shutdown.
#[derive(Default)]
pub(crate) struct Departures {
    peers: Mutex<HashSet<ActrId>>,
    announced: Notify,
}

impl Departures {
    fn lock(&self) -> MutexGuard<'_, HashSet<ActrId>> {
        self.peers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A peer shuts down.
    pub(crate) fn announce(&self, peer: &ActrId) {
        self.lock().insert(peer.clone());
        self.announced.notify_waiters();
    }

    /// Its connection is gone.
    pub(crate) fn forget(&self, peer: &ActrId) {
        self.lock().remove(peer);
    }

    /// Waits until this peer shuts down.
    pub(crate) async fn of(&self, peer: &ActrId) {
        loop {
            let announced = self.announced.notified();
            if self.lock().contains(peer) {
                return;
            }
            announced.await;
        }
    }
}
