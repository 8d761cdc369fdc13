//! Two hosts and a router between them that can stop relaying, made of network namespaces (Linux, for root).

use programs::Launch;

use crate::namespace::Namespace;

/// One of the two hosts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Host {
    /// The one to the left of the router.
    Left,
    /// The one to the right of it.
    Right,
}

impl Host {
    /// Its address in the network.
    pub fn address(self) -> &'static str {
        match self {
            Self::Left => "10.213.1.1",
            Self::Right => "10.213.2.1",
        }
    }

    /// The address of the router on its side.
    fn gateway(self) -> &'static str {
        match self {
            Self::Left => "10.213.1.2",
            Self::Right => "10.213.2.2",
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Left => "left",
            Self::Right => "right",
        }
    }
}

/// Two hosts and a router between them. Dropping it removes them.
#[derive(Debug)]
pub struct SplitNetwork {
    router: Namespace,
    left: Namespace,
    right: Namespace,
}

impl SplitNetwork {
    /// A network over which packets pass. It needs `ip` of iproute2.
    ///
    /// # Panics
    /// If it can't be made, usually because the user is not root.
    #[allow(clippy::new_without_default, reason = "it makes namespaces")]
    pub fn new() -> Self {
        Self::try_new().unwrap_or_else(|error| panic!("{error:#}"))
    }

    /// The same for tests that can do without it.
    ///
    /// # Errors
    /// If it can't be made.
    pub fn try_new() -> anyhow::Result<Self> {
        let network = Self {
            router: Namespace::try_new("router")?,
            left: Namespace::try_new("left")?,
            right: Namespace::try_new("right")?,
        };
        for host in [Host::Left, Host::Right] {
            let router = (host.name(), &*format!("{}/24", host.gateway()));
            let address = ("eth0", &*format!("{}/24", host.address()));
            network.router.join(router, network.host(host), address)?;
            network.host(host).route_by(host.gateway())?;
        }
        network.router.forward(true)?;
        Ok(network)
    }

    /// From now on every packet between the hosts vanishes.
    ///
    /// # Panics
    /// If the router can't be set.
    pub fn split(&self) {
        self.router.forward(false).unwrap_or_else(|error| panic!("{error:#}"));
    }

    /// A program that is to run on this host.
    #[must_use]
    pub fn on(&self, host: Host, launch: Launch) -> Launch {
        self.host(host).on(launch)
    }

    fn host(&self, host: Host) -> &Namespace {
        match host {
            Host::Left => &self.left,
            Host::Right => &self.right,
        }
    }
}
