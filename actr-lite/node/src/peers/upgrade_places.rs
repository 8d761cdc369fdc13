use std::{
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use actr_lite_engine::upgrade::places;
use tokio_util::sync::CancellationToken;

/// The connections whose peers have not said yet who they are. One that has to go for another is cancelled.
#[derive(Default)]
pub(super) struct UpgradePlaces(Mutex<places::UpgradePlaces<IpAddr, CancellationToken>>);

/// One connection's place; dropping it gives it back.
pub(super) struct UpgradePlace {
    places: Arc<UpgradePlaces>,
    number: u64,
    ended: CancellationToken,
}

impl UpgradePlaces {
    fn lock(&self) -> MutexGuard<'_, places::UpgradePlaces<IpAddr, CancellationToken>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A place for a connection from this address.
    pub(super) fn enter(self: &Arc<Self>, address: IpAddr) -> UpgradePlace {
        let ended = CancellationToken::new();
        let (number, evicted) = self.lock().enter(address, ended.clone());
        if let Some(evicted) = evicted {
            evicted.cancel();
        }
        UpgradePlace {
            places: Arc::clone(self),
            number,
            ended,
        }
    }
}

impl UpgradePlace {
    /// Completes when the connection has to go.
    pub(super) async fn ended(&self) {
        self.ended.cancelled().await;
    }
}

impl Drop for UpgradePlace {
    fn drop(&mut self) {
        self.places.lock().leave(self.number);
    }
}
