use std::{
    io::{self, IoSliceMut},
    net::{IpAddr, SocketAddr, UdpSocket as StdUdpSocket},
};

use actr_lite_webrtc::burst::Burst;
use quinn_udp::{RecvMeta, Transmit, UdpSockRef, UdpSocketState};
use tokio::{io::Interest, net::UdpSocket};

/// What the system may hold of what comes: with less, a burst of a fast sender is lost now and then, and throughput with
/// it. Memory is used while something waits there.
const RECEIVE_BUFFER: usize = 4 << 20;

/// How many messages are read in one call. Each is a datagram, or as many of one size as the system has put together.
pub(super) const MESSAGES: usize = 16;

/// The longest message: what an IP packet may have. The system cuts what is longer than its room.
const MAX_MESSAGE: usize = 64 << 10;

/// The longest datagram that is read where the system puts none together: nothing that is sent here is longer than a
/// path's MTU.
const MAX_DATAGRAM: usize = 2 << 10;

/// A UDP socket on one of this host's addresses.
#[derive(Debug)]
pub(super) struct Port {
    local: SocketAddr,
    socket: UdpSocket,
    state: UdpSocketState,
}

/// Where a port's messages are read to.
pub(super) struct Area {
    bytes: Box<[u8]>,
    room: usize,
    metas: [RecvMeta; MESSAGES],
}

/// Datagrams of one size from one sender, one behind the other; the last may be shorter.
#[derive(Debug, Clone, Copy)]
pub(super) struct Message<'a> {
    pub(super) from: SocketAddr,
    pub(super) segment: usize,
    pub(super) bytes: &'a [u8],
}

impl Port {
    /// Opens one on this address of the host.
    pub(super) fn open(host: IpAddr) -> io::Result<Self> {
        let socket = StdUdpSocket::bind(SocketAddr::new(host, 0))?;
        // Does not block from here on.
        let state = UdpSocketState::new(UdpSockRef::from(&socket))?;
        // The system may give less.
        let _ = state.set_recv_buffer_size(UdpSockRef::from(&socket), RECEIVE_BUFFER);
        let socket = UdpSocket::from_std(socket)?;
        Ok(Self {
            local: socket.local_addr()?,
            socket,
            state,
        })
    }

    /// Its address.
    pub(super) fn local(&self) -> SocketAddr {
        self.local
    }

    /// Sends datagrams, in one call if the system can, as soon as it takes them. What can't be sent is lost: it is sent
    /// again, or not needed.
    pub(super) async fn send(&self, burst: &Burst) {
        let mut rest = &burst.bytes[..];
        while !rest.is_empty() {
            let len = rest.len().min(burst.segment * self.state.max_gso_segments());
            let transmit = Transmit {
                destination: burst.to,
                ecn: None,
                contents: &rest[..len],
                segment_size: (len > burst.segment).then_some(burst.segment),
                src_ip: None,
            };
            let send = || self.state.try_send(UdpSockRef::from(&self.socket), &transmit);
            let sent = self.socket.async_io(Interest::WRITABLE, send).await;
            // The way there does not take several at once, or not of this size: from now on each leaves alone.
            let is_refused = sent.is_err() && len > burst.segment * self.state.max_gso_segments();
            if !is_refused {
                rest = &rest[len..];
            }
        }
    }

    /// Where its messages can be read to.
    pub(super) fn area(&self) -> Area {
        let room = match self.state.gro_segments() {
            1 => MAX_DATAGRAM,
            _ => MAX_MESSAGE,
        };
        Area {
            bytes: vec![0; MESSAGES * room].into(),
            room,
            metas: [RecvMeta::default(); MESSAGES],
        }
    }

    /// The messages that have come, at least one.
    ///
    /// # Cancel safety
    /// Nothing is lost.
    pub(super) async fn receive<'a>(
        &self,
        area: &'a mut Area,
    ) -> io::Result<impl Iterator<Item = Message<'a>> + use<'a>> {
        let Area { bytes, room, metas } = area;
        let receive = || {
            let mut chunks = bytes.chunks_exact_mut(*room);
            let mut slices: [IoSliceMut<'_>; MESSAGES] =
                std::array::from_fn(|_| IoSliceMut::new(chunks.next().unwrap_or_default()));
            self.state.recv(UdpSockRef::from(&self.socket), &mut slices, metas)
        };
        let count = self.socket.async_io(Interest::READABLE, receive).await?;
        let messages = bytes.chunks_exact(*room).zip(metas.iter()).take(count);
        Ok(messages.filter_map(|(bytes, meta)| {
            Some(Message {
                from: meta.addr,
                segment: meta.stride.min(meta.len),
                bytes: bytes
                    .get(..meta.len)
                    .filter(|bytes| !bytes.is_empty() && meta.stride > 0)?,
            })
        }))
    }
}

#[cfg(test)]
mod tests {
    use std::{net::Ipv4Addr, time::Duration};

    use tokio::time::timeout;

    use super::*;

    /// The datagrams that come, until so many have.
    async fn received(port: &Port, count: usize) -> Vec<Vec<u8>> {
        let mut area = port.area();
        let mut datagrams = Vec::new();
        while datagrams.len() < count {
            let received = timeout(Duration::from_secs(60), port.receive(&mut area)).await;
            for message in received.unwrap().unwrap() {
                datagrams.extend(message.bytes.chunks(message.segment).map(<[u8]>::to_vec));
            }
        }
        datagrams
    }

    fn burst(from: &Port, to: &Port, len: usize) -> Burst {
        Burst {
            from: from.local(),
            to: to.local(),
            segment: 1000,
            bytes: (0..len).map(|at| (at / 7) as u8).collect(),
        }
    }

    #[tokio::test]
    async fn datagrams_arrive_as_they_were_sent() {
        let [a, b] = [(); 2].map(|()| Port::open(Ipv4Addr::LOCALHOST.into()).unwrap());
        for len in [1, 1000, 1001, 20_000, 63_999] {
            let burst = burst(&a, &b, len);
            a.send(&burst).await;
            let sent: Vec<_> = burst.bytes.chunks(1000).map(<[u8]>::to_vec).collect();
            assert_eq!(received(&b, sent.len()).await, sent);
        }
    }

    #[tokio::test]
    async fn what_can_not_be_sent_is_lost_and_nothing_else() {
        let [a, b] = [(); 2].map(|()| Port::open(Ipv4Addr::LOCALHOST.into()).unwrap());
        // No system takes that in one call, nor each alone.
        let mut refused = burst(&a, &b, 140_000);
        refused.segment = 70_000;
        a.send(&refused).await;
        a.send(&burst(&a, &b, 3000)).await;
        assert_eq!(received(&b, 3).await.concat(), burst(&a, &b, 3000).bytes);
    }
}
