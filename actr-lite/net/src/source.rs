//! Where connections come from.

use std::{
    fmt,
    net::{IpAddr, Ipv6Addr},
};

/// Where a connection comes from, as far as whoever is there can't choose it: an IPv4 address, or the network that is the
/// first half of an IPv6 address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Source(IpAddr);

impl Source {
    /// Where this address belongs.
    pub fn of(address: IpAddr) -> Self {
        Self(match address.to_canonical() {
            IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() >> 64 << 64)),
            address @ IpAddr::V4(_) => address,
        })
    }
}

impl Source {
    /// The address, or the network, alone: `192.0.2.1` or `2001:db8::/64`.
    pub fn text(&self) -> String {
        match self.0 {
            IpAddr::V4(address) => address.to_string(),
            IpAddr::V6(network) => format!("{network}/64"),
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            IpAddr::V4(address) => write!(f, "address {address}"),
            IpAddr::V6(network) => write!(f, "network {network}/64"),
        }
    }
}
