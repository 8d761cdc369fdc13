use std::{
    io,
    net::{IpAddr, Ipv6Addr, SocketAddr},
};

use socket2::{Domain, Socket, Type};

use crate::resolve::resolve;

/// Where else on this machine somebody would arrive who dials `host` at the port of `bound`, a listener of this process,
/// and finds another program there: a name may have an address of the other family, and who listens on all addresses of
/// one family may be looked for at those of the other.
///
/// A name that can't be resolved here tells nothing.
pub async fn rival(bound: SocketAddr, host: &str) -> Option<SocketAddr> {
    let mut elsewhere = Vec::new();
    if bound.ip().to_canonical().is_unspecified() && bound.is_ipv4() {
        elsewhere.push(SocketAddr::new(Ipv6Addr::UNSPECIFIED.into(), bound.port()));
    }
    if host.parse::<IpAddr>().is_err()
        && let Ok(addresses) = resolve(host, bound.port()).await
    {
        elsewhere.extend(addresses.into_iter().filter(|address| !takes(bound.ip(), address.ip())));
    }
    elsewhere.into_iter().find(|address| is_taken(*address))
}

/// Whether a listener at `bound` takes what is sent to `address` on this machine.
fn takes(bound: IpAddr, address: IpAddr) -> bool {
    let (bound, address) = (bound.to_canonical(), address.to_canonical());
    bound == address || bound.is_unspecified() && (bound.is_ipv6() || address.is_ipv4())
}

/// Whether a program listens there. An address of another machine, or of a family that this one lacks, is not taken.
fn is_taken(address: SocketAddr) -> bool {
    bind(address).is_err_and(|error| error.kind() == io::ErrorKind::AddrInUse)
}

fn bind(address: SocketAddr) -> io::Result<()> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    // As listeners have it: connections that are closing don't count.
    #[cfg(unix)]
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    const LOOPBACK: &str = "127.0.0.1:0";

    #[tokio::test]
    async fn a_listener_of_another_family_is_a_rival_by_name() {
        // A system without IPv6, or whose localhost has one address only, has no rivals of this kind.
        let is_ambiguous = |addresses: &[SocketAddr]| addresses.iter().any(SocketAddr::is_ipv6);
        let addresses = resolve("localhost", 0).await.unwrap();
        let Ok(other) = TcpListener::bind("[::1]:0") else {
            return;
        };
        let address = other.local_addr().unwrap();
        let bound = SocketAddr::new("127.0.0.1".parse().unwrap(), address.port());
        let expected = is_ambiguous(&addresses).then_some(address);
        assert_eq!(rival(bound, "localhost").await, expected);
        assert_eq!(rival(bound, "127.0.0.1").await, None, "an address is what it is");
        let all = SocketAddr::new("0.0.0.0".parse().unwrap(), address.port());
        let rival_of_all = rival(all, "127.0.0.1").await;
        assert_eq!(rival_of_all.map(|rival| rival.port()), Some(address.port()));
        drop(other);
        assert_eq!(rival(bound, "localhost").await, None);
        assert_eq!(rival(all, "localhost").await, None);
    }

    #[tokio::test]
    async fn a_listener_is_no_rival_of_itself() {
        for address in [LOOPBACK, "0.0.0.0:0", "[::]:0", "[::1]:0"] {
            let Ok(listener) = TcpListener::bind(address) else {
                continue;
            };
            let bound = listener.local_addr().unwrap();
            assert_eq!(rival(bound, "localhost").await, None, "{address}");
        }
    }

    #[tokio::test]
    async fn other_machines_are_no_rivals() {
        let bound = "127.0.0.1:1".parse().unwrap();
        assert_eq!(rival(bound, "192.0.2.1").await, None);
        assert_eq!(rival(bound, "no such name").await, None);
    }
}
