use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use actr_lite_engine::held_bytes::HeldBytes;
use actr_lite_webrtc::{
    burst::Burst,
    demultiplexer::{Evidence, Path, Route},
    nat::reach::Reach,
    stun::{Class, Stun},
};
use tokio::{
    net::lookup_host,
    time::{Instant, timeout},
};
use tracing::debug;

use crate::peers::webrtc::{
    arrivals::{Arrivals, Arrived},
    sockets::{OpenPort, Sockets, local_towards},
};

/// Over how many of this host's addresses one user sends: as many as have a way to its peer, as a rule one or two.
const MAX_PORTS: usize = 4;

/// How long a host's name may take to be looked up.
const LOOK_UP_TIMEOUT: Duration = Duration::from_secs(2);

/// An address that is nobody's (RFC 5737). What would be sent there takes the default route.
const NOBODY: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(203, 0, 113, 1)), 9);

/// One user of the node's sockets: the sessions with a peer, or whoever asks a STUN or TURN server. Others' datagrams do
/// not come here.
pub(super) struct Endpoint {
    sockets: Arc<Sockets>,
    route: Route,
    arrivals: Arc<Arrivals>,
    ports: Vec<Arc<OpenPort>>,
    /// Where it has sent by way of relays.
    reach: Mutex<Reach>,
    began: Instant,
}

impl Endpoint {
    /// A new one; `None` if there are too many. What waits for it is counted by `memory`, if a peer makes this node hold it.
    pub(super) fn new(sockets: Arc<Sockets>, memory: Option<HeldBytes>) -> Option<Self> {
        let arrivals = Arrivals::new(memory);
        let route = sockets.routes().lock().enter(Arc::clone(&arrivals))?;
        Some(Self {
            sockets,
            route,
            arrivals,
            ports: Vec::new(),
            reach: Mutex::default(),
            began: Instant::now(),
        })
    }

    /// Uses the address from which the default route goes; its address, if there is one that is new.
    pub(super) fn open_default(&mut self) -> Option<SocketAddr> {
        self.open_towards(NOBODY)
    }

    /// Uses the address from which datagrams would go to `remote`; its address, if it is new.
    pub(super) fn open_towards(&mut self, remote: SocketAddr) -> Option<SocketAddr> {
        self.open_at(local_towards(remote).ok()?)
    }

    /// Uses the addresses from which datagrams would go to this host; those that are new.
    pub(super) async fn open_towards_host(&mut self, host: &str, port: u16) -> Vec<SocketAddr> {
        let looked_up = timeout(LOOK_UP_TIMEOUT, lookup_host((host, port))).await;
        let remotes = looked_up.ok().and_then(Result::ok).into_iter().flatten();
        remotes.filter_map(|remote| self.open_towards(remote)).collect()
    }

    /// Uses this address of the host; its address with the port, if it is new.
    pub(super) fn open_at(&mut self, host: IpAddr) -> Option<SocketAddr> {
        let is_known = self.ports.iter().any(|open| open.port().local().ip() == host);
        if is_known || self.ports.len() == MAX_PORTS {
            return None;
        }
        let opened = self.sockets.open(host);
        let open = opened
            .inspect_err(|error| debug!(%host, reason = %error, "no UDP socket"))
            .ok()?;
        let local = open.port().local();
        self.ports.push(open);
        Some(local)
    }

    /// Goes by this name too: what asks for it comes here.
    pub(super) fn name(&self, name: &str) {
        self.sockets.routes().lock().name(self.route, name);
    }

    /// What comes over this path comes here.
    pub(super) fn bind(&self, path: Path, evidence: Evidence) {
        self.sockets.routes().lock().bind(self.route, path, evidence);
    }

    /// Nothing comes here any more, until there is another name, question or path.
    pub(super) fn clear(&self) {
        self.sockets.routes().lock().clear(self.route);
    }

    /// Sends datagrams, as soon as the system takes them. The answer to a question of STUN comes here.
    pub(super) async fn send(&self, burst: &Burst) {
        let question = Stun::read(&burst.bytes).filter(|stun| stun.class == Class::Request);
        if let Some(question) = question {
            self.sockets.routes().lock().asked(self.route, question.transaction);
        }
        let open = self.ports.iter().find(|open| open.port().local() == burst.from);
        match open {
            Some(open) => open.port().send(burst).await,
            None if self.reaches(burst.to) => self.sockets.relays().send(burst).await,
            None => {}
        }
    }

    /// Whether it may send there by way of relays.
    fn reaches(&self, to: SocketAddr) -> bool {
        // No code panics while it holds the lock.
        let mut reach = self.reach.lock().unwrap_or_else(PoisonError::into_inner);
        reach.admits(to, self.began.elapsed())
    }

    /// What has come, at least one.
    ///
    /// # Cancel safety
    /// Nothing is lost.
    pub(super) async fn arrived(&self) -> Arrived {
        self.arrivals.next().await
    }
}

impl Drop for Endpoint {
    fn drop(&mut self) {
        self.sockets.routes().lock().leave(self.route);
    }
}
