//! What can be set about a registry.

use std::{path::PathBuf, time::Duration};

use actr_lite_admin::token::Token;
use actr_lite_wire::host_policy::HostName;

use crate::{
    directory::{Limits, MAX_NODES, MAX_STORED_BYTES},
    ledger::Shares,
    realms::Realms,
    turn_relays::TurnRelays,
};

/// How often a node has to send a heartbeat. With [`LEASE_HEARTBEATS`](crate::directory::LEASE_HEARTBEATS) a node that
/// died is forgotten within 15 s, the time in which a data lane gives up a silent peer too, and a thousand nodes cost
/// the registry 200 small messages a second.
pub const HEARTBEAT_INTERVAL: Duration = Duration::from_secs(5);

/// How long a credential proves its node: long enough that nodes renew seldom and work on while the registry is away,
/// short enough that a stolen one is soon worthless.
pub const CREDENTIAL_LIFETIME: Duration = Duration::from_secs(60 * 60);

/// How long a key signs before it is rotated: a day bounds the use of a stolen key, if nobody notices,
/// and nodes ask for the new one only once.
pub const KEY_LIFETIME: Duration = Duration::from_secs(24 * 60 * 60);

/// The most signaling connections at a time. Each holds a file descriptor, as do the HTTP connections that have
/// room beside them: of the 1,024 that many systems give a process, this leaves an eighth to the node
/// that embeds the registry.
pub const MAX_CONNECTIONS: usize = 768;

/// The most bytes of a request's body: a registration carries the sources of its protos, which are rarely above 100
/// KiB.
pub const MAX_BODY_BYTES: usize = 1024 * 1024;

/// The most bytes of memory for requests, answers and messages that are under way: a hundred of the largest bodies, of
/// which nineteen come from one address.
pub const MAX_IN_FLIGHT_BYTES: usize = 96 * 1024 * 1024;

/// How long a request's head may take to arrive, and a connection may stay idle between two: a node on a bad line needs
/// less, and a connection that only waits takes the place of one that doesn't.
pub const HEADER_TIMEOUT: Duration = Duration::from_secs(10);

/// How a registry behaves. [`Options::default`] is right for most.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// How often nodes have to send a heartbeat. They are told whole seconds, rounded up; their leases count the exact
    /// value, so that less than a second is of use only to tests. Default: [`HEARTBEAT_INTERVAL`].
    pub heartbeat_interval: Duration,
    /// How long a credential is valid, in whole seconds. Default: [`CREDENTIAL_LIFETIME`].
    pub credential_lifetime: Duration,
    /// How long a key signs credentials, in whole seconds: at least one, and as long as they are valid. After that it
    /// is kept until the last of them ends. Default: [`KEY_LIFETIME`].
    pub key_lifetime: Duration,
    /// Where the signing keys are kept, so that what they signed stays valid after a restart; a directory of this
    /// registry alone, which is created if it does not exist. Default: in memory only.
    pub data_dir: Option<PathBuf>,
    /// Where registrations and refusals are noted, in a file of this registry alone, which is created if it does not exist.
    /// Default: nowhere.
    pub audit_log: Option<PathBuf>,
    /// What those have to show who ask for more than whether it is well. Default: nothing.
    pub admin_token: Option<Token>,
    /// Which realms there are, their secrets, and what may be registered with them. Default: all, without.
    pub realms: Realms,
    /// The relays for which nodes get credentials, which end with their own. Default: none.
    pub turn_relays: Option<TurnRelays>,
    /// Whether the network itself is trusted: then nodes are told any address that others register, also one that is dialled
    /// without TLS. Default: no.
    pub insecure: bool,
    /// By which hosts it may be addressed beside those that it knows itself: see
    /// [`HostPolicy`](actr_lite_wire::host_policy::HostPolicy). Default: none.
    pub allowed_hosts: Vec<HostName>,
    /// The most signaling connections at a time; one more gets a 503. Default: [`MAX_CONNECTIONS`].
    pub max_connections: usize,
    /// The most of them from one address, or from one IPv6 network of 64 bits. Default: [most](most_of) of
    /// `max_connections`.
    pub max_connections_per_address: Option<usize>,
    /// The most of them in one realm. Default: [most](most_of) of `max_connections`.
    pub max_connections_per_realm: Option<usize>,
    /// The most nodes at a time; one more is not registered. Default: [`MAX_NODES`].
    pub max_nodes: usize,
    /// The most of them that were registered from one address, or from one IPv6 network of 64 bits. Default:
    /// [most](most_of) of `max_nodes`.
    pub max_nodes_per_address: Option<usize>,
    /// The most of them in one realm. Default: [most](most_of) of `max_nodes`.
    pub max_nodes_per_realm: Option<usize>,
    /// The most bytes of memory for all nodes together, with their contracts, access lists and addresses; a registration
    /// that would pass it is refused. Default: [`MAX_STORED_BYTES`].
    pub max_stored_bytes: usize,
    /// The most of them for nodes that were registered from one address, or from one IPv6 network of 64 bits. Default:
    /// [most](most_of) of `max_stored_bytes`.
    pub max_stored_bytes_per_address: Option<usize>,
    /// The most of them in one realm. Default: [most](most_of) of `max_stored_bytes`.
    pub max_stored_bytes_per_realm: Option<usize>,
    /// The most bytes of memory for requests, answers and messages that are under way. One address, or one realm, has a
    /// fifth at most, and less where others have much. Default: [`MAX_IN_FLIGHT_BYTES`].
    pub max_in_flight_bytes: usize,
    /// The most bytes of a request's body; a longer one gets a 413. Default: [`MAX_BODY_BYTES`].
    pub max_body_bytes: usize,
    /// How long a request's head may take to arrive, and a connection may stay idle between two; then it is closed.
    /// Default: [`HEADER_TIMEOUT`].
    pub header_timeout: Duration,
}

/// What one realm or one address may have of a limit for all, if nothing else is set: all but a sixteenth. So one that is
/// alone has nearly everything, and nobody can take everything.
pub fn most_of(limit: usize) -> usize {
    limit - limit / 16
}

impl Options {
    pub(crate) fn connection_shares(&self) -> Shares {
        let (address, realm) = (self.max_connections_per_address, self.max_connections_per_realm);
        shares(self.max_connections, address, realm)
    }

    pub(crate) fn directory_limits(&self) -> Limits {
        Limits {
            nodes: shares(self.max_nodes, self.max_nodes_per_address, self.max_nodes_per_realm),
            stored_bytes: shares(
                self.max_stored_bytes,
                self.max_stored_bytes_per_address,
                self.max_stored_bytes_per_realm,
            ),
        }
    }
}

fn shares(all: usize, per_address: Option<usize>, per_realm: Option<usize>) -> Shares {
    Shares {
        per_address: per_address.unwrap_or(most_of(all)),
        per_realm: per_realm.unwrap_or(most_of(all)),
        ..Shares::of_all(all)
    }
}

impl Default for Options {
    fn default() -> Self {
        Self {
            heartbeat_interval: HEARTBEAT_INTERVAL,
            credential_lifetime: CREDENTIAL_LIFETIME,
            key_lifetime: KEY_LIFETIME,
            data_dir: None,
            audit_log: None,
            admin_token: None,
            realms: Realms::default(),
            turn_relays: None,
            insecure: false,
            allowed_hosts: Vec::new(),
            max_connections: MAX_CONNECTIONS,
            max_connections_per_address: None,
            max_connections_per_realm: None,
            max_nodes: MAX_NODES,
            max_nodes_per_address: None,
            max_nodes_per_realm: None,
            max_stored_bytes: MAX_STORED_BYTES,
            max_stored_bytes_per_address: None,
            max_stored_bytes_per_realm: None,
            max_in_flight_bytes: MAX_IN_FLIGHT_BYTES,
            max_body_bytes: MAX_BODY_BYTES,
            header_timeout: HEADER_TIMEOUT,
        }
    }
}
