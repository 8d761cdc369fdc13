use std::{
    net::SocketAddr,
    ops::Range,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use actr_lite_webrtc::{
    burst::Burst,
    nat::relay::{Credential, Output, Relay},
};
use actr_lite_wire::ice_server::TurnUrl;
use tokio::{sync::Notify, time::Instant};

use crate::peers::webrtc::relay_socket::{RelaySocket, way};

/// The way to one relay, which all sessions share.
pub(super) struct RelayPort {
    url: TurnUrl,
    began: Instant,
    state: Mutex<State>,
    changed: Notify,
}

struct State {
    relay: Relay,
    socket: Option<Arc<RelaySocket>>,
}

impl RelayPort {
    pub(super) fn new(url: TurnUrl, credential: Credential) -> Arc<Self> {
        let relay = Relay::new(way(&url), credential, Box::new(rand::random));
        Arc::new(Self {
            url,
            began: Instant::now(),
            state: Mutex::new(State { relay, socket: None }),
            changed: Notify::new(),
        })
    }

    /// Which one it is.
    pub(super) fn url(&self) -> &TurnUrl {
        &self.url
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // No code panics while it holds the lock.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> Duration {
        self.began.elapsed()
    }

    /// The node is somebody else to the relay from now on.
    pub(super) fn set_credential(&self, credential: Credential) {
        self.lock().relay.set_credential(credential, self.now());
        self.changed.notify_one();
    }

    /// Nothing new is to use the relay.
    pub(super) fn retire(&self) {
        self.lock().relay.retire(self.now());
        self.changed.notify_one();
    }

    pub(super) fn is_retired(&self) -> bool {
        self.lock().relay.is_retired()
    }

    /// Nothing comes any more from somewhere: the relay may have forgotten this node.
    pub(super) fn doubt(&self) {
        self.lock().relay.check(self.now());
        self.changed.notify_one();
    }

    /// Sends datagrams from the address at the relay.
    pub(super) async fn send(&self, burst: &Burst) {
        let now = self.now();
        let (framed, socket) = {
            let State { relay, socket } = &mut *self.lock();
            let datagrams = burst.bytes.chunks(burst.segment.max(1));
            let framed: Vec<_> = datagrams.map(|datagram| relay.send(burst.to, datagram, now)).collect();
            (framed, socket.clone())
        };
        if framed.contains(&None) {
            // The relay is to be asked for something.
            self.changed.notify_one();
        }
        if let Some(socket) = socket {
            for framed in framed.into_iter().flatten() {
                socket.send(&framed).await;
            }
        }
    }

    /// Completes when there is something to be done.
    ///
    /// # Cancel safety
    /// Nothing is lost.
    pub(super) async fn changed(&self) {
        self.changed.notified().await;
    }

    /// What to do now; when to look again is told as a time. An address is wanted or not.
    pub(super) fn poll(&self, is_wanted: bool) -> Output {
        let (state, now) = (&mut *self.lock(), self.now());
        state.relay.want(is_wanted, now);
        state.relay.poll(now)
    }

    /// When that is.
    pub(super) fn instant(&self, until: Duration) -> Instant {
        self.began + until
    }

    /// The way to the relay, if there is one.
    pub(super) fn socket(&self) -> Option<Arc<RelaySocket>> {
        self.lock().socket.clone()
    }

    /// There is a way to the relay, over IPv6 or IPv4.
    pub(super) fn connected(&self, socket: Arc<RelaySocket>, is_ipv6: bool) {
        let state = &mut *self.lock();
        state.socket = Some(socket);
        state.relay.connected(is_ipv6, self.now());
    }

    /// There is none.
    pub(super) fn disconnected(&self, reason: &str) {
        let state = &mut *self.lock();
        state.socket = None;
        state.relay.disconnected(reason, self.now());
    }

    /// There is to be none.
    pub(super) fn close(&self) {
        self.lock().socket = None;
    }

    /// The address at the relay, if there is one.
    pub(super) fn address(&self) -> Option<SocketAddr> {
        self.lock().relay.address()
    }

    /// Takes what the relay has sent; what a peer has sent, if it is that.
    pub(super) fn receive(&self, message: &[u8]) -> Option<(SocketAddr, Range<usize>)> {
        self.lock().relay.receive(message, self.now())
    }
}
