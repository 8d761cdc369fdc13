use std::{io, net::SocketAddr};

use tokio::net::TcpStream;

/// Where a connection comes from, and how.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Origin {
    pub(crate) address: SocketAddr,
    /// From the machine of the registry.
    pub(crate) is_this_machine: bool,
    pub(crate) is_tls: bool,
}

impl Origin {
    /// Of a connection that `address` has made.
    pub(crate) fn of(stream: &TcpStream, address: SocketAddr, is_tls: bool) -> io::Result<Self> {
        let (from, to) = (address.ip().to_canonical(), stream.local_addr()?.ip().to_canonical());
        Ok(Self {
            address,
            // A machine that dials one of its own addresses does so from that address.
            is_this_machine: from.is_loopback() || from == to,
            is_tls,
        })
    }
}
