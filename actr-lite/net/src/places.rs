//! Places for connections whose peers nobody knows yet.

use std::{
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use actr_lite_quota as quota;
use tokio_util::sync::CancellationToken;

/// The connections of a listener whose peers have not said yet who they are. One that has to go for another is cancelled:
/// see [`quota::Places`].
#[derive(Debug)]
pub struct Places(Mutex<quota::Places<IpAddr, CancellationToken>>);

/// One connection's place; dropping it gives it back.
#[derive(Debug)]
pub struct Place {
    places: Arc<Places>,
    number: u64,
    ended: CancellationToken,
}

impl Places {
    /// At most so many at a time.
    pub fn new(most: usize) -> Self {
        Self(Mutex::new(quota::Places::new(most)))
    }

    fn lock(&self) -> MutexGuard<'_, quota::Places<IpAddr, CancellationToken>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A place for a connection from this address.
    pub fn enter(self: &Arc<Self>, address: IpAddr) -> Place {
        let ended = CancellationToken::new();
        let (number, evicted) = self.lock().enter(address, ended.clone());
        if let Some(evicted) = evicted {
            evicted.cancel();
        }
        Place {
            places: Arc::clone(self),
            number,
            ended,
        }
    }
}

impl Place {
    /// Completes when the connection has to go.
    pub async fn ended(&self) {
        self.ended.cancelled().await;
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.places.lock().leave(self.number);
    }
}
