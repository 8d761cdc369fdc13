//! Addresses of this machine.

use std::net::SocketAddr;

/// An address of this machine at which nobody listens now, for a listener whose address has to be known before.
pub(crate) fn free_address() -> SocketAddr {
    std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
}
