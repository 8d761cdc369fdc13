//! Where official nodes can reach each other over WebRTC.
//!
//! That lane never uses the loopback interface. Where network namespaces can be made, for which it takes root and `ip` of
//! iproute2, the nodes run on two hosts of a network of their own; elsewhere on this machine's own address.

use std::net::UdpSocket;

use harness::{Host, Launch, SplitNetwork};

/// Where the nodes run.
pub(crate) enum Network {
    TwoHosts(SplitNetwork),
    /// An address of this machine: what goes there does not leave it.
    OwnAddress(String),
}

impl Network {
    #[allow(clippy::print_stderr, reason = "what the test shows depends on it")]
    pub(crate) fn new() -> Self {
        let error = match SplitNetwork::try_new() {
            Ok(network) => return Self::TwoHosts(network),
            Err(error) => error,
        };
        let Some(address) = own_address() else {
            panic!("neither has this machine an IPv4 address beside loopback, nor can a network be made: {error:#}");
        };
        eprintln!("on {address}, because no network can be made: {error:#}");
        Self::OwnAddress(address)
    }

    /// Where the registry is.
    pub(crate) fn address(&self) -> &str {
        match self {
            Self::TwoHosts(_) => Host::Left.address(),
            Self::OwnAddress(address) => address,
        }
    }

    pub(crate) fn on(&self, host: Host, launch: Launch) -> Launch {
        match self {
            Self::TwoHosts(network) => network.on(host, launch),
            Self::OwnAddress(_) => launch,
        }
    }
}

/// The address from which this machine would send to others (RFC 5737: this one is nobody's). Nothing is sent.
fn own_address() -> Option<String> {
    let socket = UdpSocket::bind("0.0.0.0:0").ok()?;
    socket.connect("203.0.113.1:9").ok()?;
    let address = socket.local_addr().ok()?.ip();
    (!address.is_loopback() && !address.is_unspecified()).then(|| address.to_string())
}
