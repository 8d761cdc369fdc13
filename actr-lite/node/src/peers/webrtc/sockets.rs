use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket as StdUdpSocket},
    sync::{Arc, Mutex, PoisonError, Weak},
    time::Duration,
};

use tokio::time::sleep;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::{
    peers::webrtc::{
        port::Port,
        relays::Relays,
        routes::{Batch, Routes},
    },
    tally::tally::Tally,
    tasks::Tasks,
};

/// How many sockets a node has: one for each of the host's addresses from which a peer is reached, and those that the
/// host had before and sessions still use.
const MAX_SOCKETS: usize = 16;

/// How long a socket that can't be read is left alone: its network may be down.
const ERROR_PAUSE: Duration = Duration::from_millis(100);

/// The UDP sockets of a node, one on each of the host's addresses that is used. All sessions share them.
///
/// One is opened when somebody wants it, and closed when nobody uses it any more: so an address that the host has lost
/// does not keep its socket, and a node without sessions has none.
pub(super) struct Sockets {
    tasks: Tasks,
    routes: Arc<Routes>,
    relays: Relays,
    open: Mutex<Vec<(IpAddr, Weak<OpenPort>)>>,
}

/// A socket that is read as long as this is held.
pub(super) struct OpenPort {
    port: Arc<Port>,
    _closed: DropGuard,
}

impl OpenPort {
    /// The socket.
    pub(super) fn port(&self) -> &Port {
        &self.port
    }
}

impl Sockets {
    /// None is open yet. `tasks` read them; what is dropped is counted by `tally`.
    pub(super) fn new(tasks: Tasks, tally: Arc<Tally>) -> Arc<Self> {
        Arc::new(Self {
            tasks,
            routes: Arc::new(Routes::new(tally)),
            relays: Relays::default(),
            open: Mutex::default(),
        })
    }

    /// Whose what comes is.
    pub(super) fn routes(&self) -> &Routes {
        &self.routes
    }

    /// Over what else is sent.
    pub(super) fn relays(&self) -> &Relays {
        &self.relays
    }

    /// The one on this address of the host.
    ///
    /// # Errors
    /// If the system has none, or there are too many.
    pub(super) fn open(&self, host: IpAddr) -> io::Result<Arc<OpenPort>> {
        // No code panics while it holds the lock.
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.retain(|(_, port)| port.strong_count() > 0);
        let known = open.iter().find(|(known, _)| *known == host);
        if let Some(port) = known.and_then(|(_, port)| port.upgrade()) {
            return Ok(port);
        }
        if open.len() >= MAX_SOCKETS {
            return Err(io::Error::other(format!("{MAX_SOCKETS} UDP sockets are open")));
        }
        let port = Arc::new(Port::open(host)?);
        let closed = CancellationToken::new();
        let read = read(Arc::clone(&port), Arc::clone(&self.routes), closed.clone());
        self.tasks.spawn_runtime("a UDP socket's reader", Box::pin(read));
        let port = Arc::new(OpenPort {
            port,
            _closed: closed.drop_guard(),
        });
        open.push((host, Arc::downgrade(&port)));
        Ok(port)
    }
}

/// Hands on what comes, until nobody uses the socket any more.
async fn read(port: Arc<Port>, routes: Arc<Routes>, closed: CancellationToken) {
    let mut area = port.area();
    let mut batch = Batch::default();
    let read = async {
        loop {
            match port.receive(&mut area).await {
                Ok(messages) => routes.deliver(port.local(), messages, &mut batch),
                Err(_) => sleep(ERROR_PAUSE).await,
            }
        }
    };
    closed.run_until_cancelled(read).await;
}

/// This host's address on the way to `remote`. Nothing is sent.
pub(super) fn local_towards(remote: SocketAddr) -> io::Result<IpAddr> {
    let any: IpAddr = match remote {
        SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let socket = StdUdpSocket::bind(SocketAddr::new(any, 0))?;
    socket.connect(remote)?;
    Ok(socket.local_addr()?.ip())
}
