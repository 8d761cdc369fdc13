//! What can be set about a registry.

use std::time::Duration;

/// How often a node is to send a heartbeat. With [`LEASE_HEARTBEATS`](crate::directory::LEASE_HEARTBEATS) a node that
/// died is forgotten within 15 s, the time in which a data lane gives up a silent peer too, and a thousand nodes cost
/// the registry 200 small messages a second.
pub const HEARTBEAT_INTERVAL: Duration = Duration::from_secs(5);

/// How long a credential proves its node: long enough that nodes renew seldom and work on while the registry is away,
/// short enough that a stolen one is soon worthless.
pub const CREDENTIAL_LIFETIME: Duration = Duration::from_secs(60 * 60);

/// The most connections at a time, of AIS and signaling together. Each holds a file descriptor: of the 1,024 that many
/// systems give a process, this leaves a quarter to the node that embeds the registry.
pub const MAX_CONNECTIONS: usize = 768;

/// How a registry behaves. [`Options::default`] is right for everything but tests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// How often nodes are to send a heartbeat. They are told whole seconds, rounded up; their leases count the exact
    /// value, so that less than a second is of use only to tests. Default: [`HEARTBEAT_INTERVAL`].
    pub heartbeat_interval: Duration,
    /// How long a credential is good, in whole seconds. Default: [`CREDENTIAL_LIFETIME`].
    pub credential_lifetime: Duration,
    /// The most connections at a time; one more gets a 503. Default: [`MAX_CONNECTIONS`].
    pub max_connections: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            heartbeat_interval: HEARTBEAT_INTERVAL,
            credential_lifetime: CREDENTIAL_LIFETIME,
            max_connections: MAX_CONNECTIONS,
        }
    }
}
