use std::{
    io,
    net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket as StdUdpSocket},
    task::{Context, Poll},
};

use actr_lite_webrtc::peer::Datagram;
use socket2::SockRef;
use tokio::net::UdpSocket;

/// Over how many of this host's addresses a session may go: as many as have a way to the peer, as a rule one or two.
const MAX_SOCKETS: usize = 4;

/// What the system may hold of what comes: with less, a burst of a fast sender is lost now and then, and throughput with
/// it. Memory is used while something waits there.
const RECEIVE_BUFFER: usize = 4 << 20;

/// An address that is nobody's (RFC 5737). What would be sent there takes the default route.
const NOBODY: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(203, 0, 113, 1)), 9);

/// The longest datagram that is read: nothing that is sent here is longer than a path's MTU.
pub(super) const MAX_DATAGRAM: usize = 2048;

/// The UDP sockets of one session, each on one of this host's addresses.
#[derive(Debug, Default)]
pub(super) struct Sockets {
    open: Vec<(SocketAddr, UdpSocket)>,
}

impl Sockets {
    /// Opens one on the address from which the default route goes; its address, if there is one that is new.
    pub(super) fn open_default(&mut self) -> Option<SocketAddr> {
        self.open_towards(NOBODY)
    }

    /// Opens one on the address from which datagrams would go to `remote`; its address, if it is new.
    pub(super) fn open_towards(&mut self, remote: SocketAddr) -> Option<SocketAddr> {
        let host = local_towards(remote).ok()?;
        let is_known = self.open.iter().any(|(local, _)| local.ip() == host);
        if is_known || self.open.len() == MAX_SOCKETS {
            return None;
        }
        let socket = StdUdpSocket::bind(SocketAddr::new(host, 0)).ok()?;
        socket.set_nonblocking(true).ok()?;
        // The system may give less.
        let _ = SockRef::from(&socket).set_recv_buffer_size(RECEIVE_BUFFER);
        let socket = UdpSocket::from_std(socket).ok()?;
        let local = socket.local_addr().ok()?;
        self.open.push((local, socket));
        Some(local)
    }

    /// Sends a datagram, as soon as the system takes it. One that can't be sent is lost: it is sent again, or not needed.
    pub(super) async fn send(&self, datagram: &Datagram) {
        if let Some((_, socket)) = self.open.iter().find(|(local, _)| *local == datagram.from) {
            let _ = socket.send_to(&datagram.bytes, datagram.to).await;
        }
    }

    /// One datagram that has come: its length, and from where to where it went.
    pub(super) fn poll_receive(
        &self,
        cx: &mut Context<'_>,
        buffer: &mut [u8; MAX_DATAGRAM],
    ) -> Poll<(usize, SocketAddr, SocketAddr)> {
        for (local, socket) in &self.open {
            loop {
                let mut read = tokio::io::ReadBuf::new(buffer);
                match socket.poll_recv_from(cx, &mut read) {
                    Poll::Ready(Ok(from)) => return Poll::Ready((read.filled().len(), from, *local)),
                    // An earlier datagram was refused by its host, say.
                    Poll::Ready(Err(_)) => {}
                    Poll::Pending => break,
                }
            }
        }
        Poll::Pending
    }
}

/// This host's address on the way to `remote`. Nothing is sent.
fn local_towards(remote: SocketAddr) -> io::Result<IpAddr> {
    let any: IpAddr = match remote {
        SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => std::net::Ipv6Addr::UNSPECIFIED.into(),
    };
    let socket = StdUdpSocket::bind(SocketAddr::new(any, 0))?;
    socket.connect(remote)?;
    Ok(socket.local_addr()?.ip())
}
