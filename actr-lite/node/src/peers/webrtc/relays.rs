use std::{
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use actr_lite_webrtc::burst::Burst;

use crate::peers::webrtc::relay_port::RelayPort;

/// The addresses that a node has at relays, and the way to each.
#[derive(Default)]
pub(super) struct Relays {
    open: Mutex<Vec<(SocketAddr, Arc<RelayPort>)>>,
}

impl Relays {
    fn lock(&self) -> MutexGuard<'_, Vec<(SocketAddr, Arc<RelayPort>)>> {
        // No code panics while it holds the lock.
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn add(&self, address: SocketAddr, port: Arc<RelayPort>) {
        self.lock().push((address, port));
    }

    pub(super) fn remove(&self, address: SocketAddr) {
        self.lock().retain(|(known, _)| *known != address);
    }

    /// Sends datagrams from an address at a relay. What can't be sent is lost: it is sent again, or not needed.
    pub(super) async fn send(&self, burst: &Burst) {
        let port = {
            let open = self.lock();
            let port = open.iter().find(|(address, _)| *address == burst.from);
            port.map(|(_, port)| Arc::clone(port))
        };
        if let Some(port) = port {
            port.send(burst).await;
        }
    }
}
