//! Where this node is reached.

use std::net::SocketAddr;

use str0m::{Candidate, net::Protocol};

/// An address at which datagrams for this node arrive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Local {
    /// This host's own.
    Host(SocketAddr),
    /// A NAT's, which leads to one of this host's own.
    Reflexive {
        /// The NAT's.
        address: SocketAddr,
        /// This host's own.
        base: SocketAddr,
    },
    /// A relay's, over which datagrams are sent too.
    Relayed {
        /// The relay's.
        address: SocketAddr,
        /// From which of this host's own addresses the relay is reached.
        local: SocketAddr,
    },
}

impl Local {
    /// What the peer is told.
    pub fn address(self) -> SocketAddr {
        match self {
            Self::Host(address) | Self::Reflexive { address, .. } | Self::Relayed { address, .. } => address,
        }
    }

    pub(crate) fn is_relayed(self) -> bool {
        matches!(self, Self::Relayed { .. })
    }

    pub(crate) fn candidate(self) -> Option<Candidate> {
        let candidate = match self {
            Self::Host(address) => Candidate::host(address, Protocol::Udp),
            Self::Reflexive { address, base } => Candidate::server_reflexive(address, base, Protocol::Udp),
            Self::Relayed { address, local } => Candidate::relayed(address, local, Protocol::Udp),
        };
        candidate.ok()
    }
}

impl From<SocketAddr> for Local {
    fn from(address: SocketAddr) -> Self {
        Self::Host(address)
    }
}
