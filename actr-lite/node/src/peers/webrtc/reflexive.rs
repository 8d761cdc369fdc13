//! Asks STUN servers at which addresses others see this node's sockets.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use actr_lite_webrtc::{
    nat::reflexive::{Output, Reflexive},
    peer::Local,
};
use actr_lite_wire::ice_server::StunUrl;
use tokio::{
    net::lookup_host,
    time::{Instant, timeout},
};
use tokio_util::sync::CancellationToken;
use tracing::debug;

use crate::peers::webrtc::{alarm::Alarm, endpoint::Endpoint, found::Found, sockets::Sockets};

/// How long a server's name may take to be looked up.
const LOOK_UP_TIMEOUT: Duration = Duration::from_secs(2);

/// How many addresses of servers are asked: each of the eight in Actr.toml has one or two.
const MAX_SERVERS: usize = 16;

/// One who asks for each socket.
struct Asker {
    endpoint: Endpoint,
    sockets: Vec<(SocketAddr, Reflexive)>,
}

/// Asks while somebody has sessions, until the node stops.
pub(super) async fn run(urls: Vec<StunUrl>, found: Arc<Found>, sockets: Arc<Sockets>, stop: CancellationToken) {
    let (mut users, mut doubts) = (found.users(), found.doubts());
    let began = Instant::now();
    let mut asker: Option<Asker> = None;
    loop {
        if *users.borrow_and_update() == 0 {
            asker = None;
            found.remove(|local| matches!(local, Local::Reflexive { .. }));
        } else if doubts.has_changed().unwrap_or_default() || asker.is_none() {
            doubts.mark_unchanged();
            asker = Asker::open(&urls, &sockets).await;
            if let Some(asker) = &asker {
                found.remove(|local| matches!(local, Local::Reflexive { base, .. } if !asker.has(base)));
            }
        }
        let now = began.elapsed();
        if let Some(asker) = &mut asker {
            asker.ask(now);
        }
        let mut alarm = Alarm::new();
        // Until somebody else has sessions, or doubts.
        loop {
            let until = match &mut asker {
                Some(asker) => asker.send(&found, began.elapsed()).await,
                None => None,
            };
            tokio::select! {
                () = stop.cancelled() => return,
                changed = users.changed() => if changed.is_err() { return } else { break },
                changed = doubts.changed() => {
                    if changed.is_err() {
                        return;
                    }
                    doubts.mark_changed();
                    break;
                }
                () = arrived(&mut asker, began) => {}
                () = alarm.rings(until.map(|until| began + until)) => {}
            }
        }
    }
}

/// Takes answers that have come.
async fn arrived(asker: &mut Option<Asker>, began: Instant) {
    let Some(Asker { endpoint, sockets }) = asker else {
        return std::future::pending().await;
    };
    for arrival in endpoint.arrived().await.iter() {
        let (to, now) = (arrival.to, began.elapsed());
        let known = sockets.iter_mut().find(|(local, _)| *local == to);
        if let Some((_, reflexive)) = known {
            for datagram in arrival.datagrams() {
                reflexive.receive(arrival.from, datagram, now);
            }
        }
    }
}

impl Asker {
    /// For the sockets on the way to the servers. `None` if there are too many users of sockets.
    async fn open(urls: &[StunUrl], sockets: &Arc<Sockets>) -> Option<Self> {
        let mut servers: Vec<SocketAddr> = Vec::new();
        for url in urls {
            let found = timeout(LOOK_UP_TIMEOUT, lookup_host((url.host(), url.port()))).await;
            match found
                .map_err(|_| std::io::ErrorKind::TimedOut.into())
                .and_then(|found| found)
            {
                Ok(found) => servers.extend(found),
                Err(error) => debug!(server = %url, reason = %error, "the STUN server is not found"),
            }
        }
        servers.truncate(MAX_SERVERS);
        let mut endpoint = Endpoint::new(Arc::clone(sockets), None)?;
        let locals: Vec<_> = servers
            .iter()
            .filter_map(|server| endpoint.open_towards(*server))
            .collect();
        let sockets = locals.into_iter().map(|local| {
            let reflexive = Reflexive::new(local, &servers, Box::new(rand::random));
            (local, reflexive)
        });
        Some(Self {
            sockets: sockets.collect(),
            endpoint,
        })
    }

    fn has(&self, base: SocketAddr) -> bool {
        self.sockets.iter().any(|(local, _)| *local == base)
    }

    fn ask(&mut self, now: Duration) {
        for (_, reflexive) in &mut self.sockets {
            reflexive.ask(now);
        }
    }

    /// Sends what is to be sent, and tells what was found. Until when to wait then.
    async fn send(&mut self, found: &Found, now: Duration) -> Option<Duration> {
        let mut next: Option<Duration> = None;
        for (base, reflexive) in &mut self.sockets {
            loop {
                match reflexive.poll(now) {
                    Output::Transmit(datagram) => self.endpoint.send(&datagram.into()).await,
                    Output::Found(address) => {
                        let base = *base;
                        debug!(%address, %base, "others see this node at this address");
                        found.remove(|local| matches!(local, Local::Reflexive { base: old, .. } if old == base));
                        found.add(Local::Reflexive { address, base });
                    }
                    Output::Wait(until) => {
                        next = next.into_iter().chain(until).min();
                        break;
                    }
                }
            }
        }
        next
    }
}
