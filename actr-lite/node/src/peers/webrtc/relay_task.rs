use std::{future::pending, io, net::SocketAddr, ops::Range, sync::Arc, time::Duration};

use actr_lite_tls::ClientTls;
use actr_lite_webrtc::{nat::relay::Output, peer::Local};
use futures_util::future::BoxFuture;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use crate::peers::webrtc::{
    alarm::Alarm,
    found::Found,
    port::Message,
    relay_port::RelayPort,
    relay_socket::{RelayReader, RelaySocket, open},
    routes::Batch,
    sockets::Sockets,
};

/// How long an address at a relay is kept while nobody has a session: as long as one takes to be wanted again.
const KEEP: Duration = Duration::from_secs(30);

/// What peers have sent, until it is handed on.
#[derive(Default)]
struct Received {
    bytes: Vec<u8>,
    datagrams: Vec<(SocketAddr, Range<usize>)>,
    batch: Batch,
}

/// What the task of a relay has at a time.
enum Socket {
    Closed,
    Opening(BoxFuture<'static, Result<(Arc<RelaySocket>, RelayReader), String>>),
    Open(RelayReader),
}

/// What has happened to it.
enum Happened {
    Opened(Result<(Arc<RelaySocket>, RelayReader), String>),
    Read(io::Result<()>),
}

/// Keeps an address at a relay while somebody has sessions.
pub(super) struct RelayTask {
    pub(super) port: Arc<RelayPort>,
    pub(super) found: Arc<Found>,
    pub(super) sockets: Arc<Sockets>,
    /// Whom it trusts where it speaks TLS.
    pub(super) tls: ClientTls,
}

impl RelayTask {
    /// Until the node stops, or nobody uses a relay that is retired; then the relay is told that the address is not needed
    /// any more.
    pub(super) async fn run(self, stop: CancellationToken) {
        let (mut users, mut doubts) = (self.found.users(), self.found.doubts());
        let (mut socket, mut received, mut alarm) = (Socket::Closed, Received::default(), Alarm::new());
        // None: it is used.
        let mut unused_until = None;
        let mut is_failure_told = false;
        loop {
            unused_until = match *users.borrow_and_update() {
                0 => unused_until.or_else(|| Some(Instant::now() + KEEP)),
                _ => None,
            };
            let is_over = stop.is_cancelled();
            let is_kept = match unused_until {
                Some(until) => until > Instant::now() && !matches!(socket, Socket::Closed),
                None => true,
            };
            match self.port.poll(is_kept && !is_over) {
                Output::Connect => {
                    let opening = open(self.port.url().clone(), self.tls.clone());
                    socket = Socket::Opening(Box::pin(opening));
                }
                Output::Transmit(bytes) => {
                    if let Some(socket) = self.port.socket() {
                        socket.send(&bytes).await;
                    }
                }
                Output::Disconnect => {
                    socket = Socket::Closed;
                    self.port.close();
                }
                Output::Failed(reason) => {
                    let url = self.port.url();
                    match std::mem::replace(&mut is_failure_told, true) {
                        true => debug!(relay = %url, %reason, "there is still no address at the relay"),
                        false => warn!(relay = %url, %reason, "{url}: no address there; trying again: {reason}"),
                    }
                }
                Output::Allocated(address) => {
                    is_failure_told = false;
                    self.allocated(address, &socket);
                }
                Output::Lost(address, reason) => {
                    let url = self.port.url();
                    warn!(relay = %url, %address, %reason, "{url}: the address there is lost: {reason}");
                    self.gone(address);
                }
                Output::Retired(address) => {
                    debug!(relay = %self.port.url(), %address, "the address at the relay is for those that use it already");
                    self.found.retire(|local| local.address() == address);
                }
                Output::Released(address) => {
                    debug!(relay = %self.port.url(), %address, "the address at the relay is given back");
                    self.gone(address);
                }
                Output::Wait(None) if is_over || self.port.is_retired() => return,
                Output::Wait(until) => {
                    let until = until.map(|until| self.port.instant(until));
                    let until = until.into_iter().chain(unused_until.filter(|_| is_kept)).min();
                    tokio::select! {
                        () = stop.cancelled(), if !is_over => {}
                        () = self.port.changed() => {}
                        // They end with this.
                        _ = users.changed() => {}
                        _ = doubts.changed() => self.port.doubt(),
                        happened = self.happened(&mut socket, &mut received) => {
                            self.take(happened, &mut socket);
                            received.deliver(self.port.address(), &self.sockets);
                        }
                        () = alarm.rings(until) => {}
                    }
                }
            }
        }
    }

    fn allocated(&self, address: SocketAddr, socket: &Socket) {
        debug!(relay = %self.port.url(), %address, "there is an address at the relay");
        let local = match socket {
            Socket::Open(reader) => reader.local,
            _ => address,
        };
        self.sockets.relays().add(address, Arc::clone(&self.port));
        self.found.add(Local::Relayed { address, local });
    }

    fn gone(&self, address: SocketAddr) {
        self.sockets.relays().remove(address);
        self.found.remove(|local| local.address() == address);
    }

    /// # Cancel safety
    /// Nothing is lost.
    async fn happened(&self, socket: &mut Socket, received: &mut Received) -> Happened {
        match socket {
            Socket::Closed => pending().await,
            Socket::Opening(opening) => Happened::Opened(opening.await),
            Socket::Open(reader) => {
                let take = |message: &[u8]| {
                    if let Some((peer, range)) = self.port.receive(message) {
                        received.push(peer, &message[range]);
                    }
                };
                Happened::Read(reader.read(take).await)
            }
        }
    }

    fn take(&self, happened: Happened, socket: &mut Socket) {
        let reason = match happened {
            Happened::Read(Ok(())) => return,
            Happened::Opened(Ok((opened, reader))) => {
                self.port.connected(opened, reader.is_ipv6);
                *socket = Socket::Open(reader);
                return;
            }
            Happened::Read(Err(error)) => error.to_string(),
            Happened::Opened(Err(reason)) => reason,
        };
        *socket = Socket::Closed;
        self.port.disconnected(&reason);
    }
}

impl Received {
    fn push(&mut self, peer: SocketAddr, datagram: &[u8]) {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(datagram);
        self.datagrams.push((peer, start..self.bytes.len()));
    }

    /// Hands all on to those for whom it is.
    fn deliver(&mut self, address: Option<SocketAddr>, sockets: &Sockets) {
        let Self {
            bytes,
            datagrams,
            batch,
        } = self;
        if let Some(address) = address.filter(|_| !datagrams.is_empty()) {
            let messages = datagrams.iter().map(|(from, range)| Message {
                from: *from,
                segment: range.len(),
                bytes: &bytes[range.clone()],
            });
            sockets.routes().deliver(address, messages, batch);
        }
        bytes.clear();
        datagrams.clear();
    }
}
