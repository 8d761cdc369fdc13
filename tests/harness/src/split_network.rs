//! Two hosts and a router between them that can stop relaying, made of network namespaces (Linux, for root).

use std::{
    process::{self, Command},
    sync::atomic::{AtomicU32, Ordering},
};

use anyhow::{Context as _, ensure};
use programs::{CommandLine, Launch};

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
    name: String,
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
        static MADE: AtomicU32 = AtomicU32::new(0);
        let name = format!("split{}-{}", process::id(), MADE.fetch_add(1, Ordering::Relaxed));
        let network = Self { name };
        let router = network.namespace("router");
        ip(&format!("netns add {router}"))?;
        for host in [Host::Left, Host::Right] {
            let (name, namespace) = (host.name(), network.namespace(host.name()));
            let (address, gateway) = (host.address(), host.gateway());
            ip(&format!("netns add {namespace}"))?;
            ip(&format!(
                "-n {router} link add {name} type veth peer name eth0 netns {namespace}"
            ))?;
            ip(&format!("-n {router} address add {gateway}/24 dev {name}"))?;
            ip(&format!("-n {router} link set {name} up"))?;
            ip(&format!("-n {namespace} address add {address}/24 dev eth0"))?;
            ip(&format!("-n {namespace} link set eth0 up"))?;
            ip(&format!("-n {namespace} link set lo up"))?;
            ip(&format!("-n {namespace} route add default via {gateway}"))?;
        }
        network.relay(true)?;
        Ok(network)
    }

    /// From now on every packet between the hosts vanishes.
    ///
    /// # Panics
    /// If the router can't be set.
    pub fn split(&self) {
        self.relay(false).unwrap_or_else(|error| panic!("{error:#}"));
    }

    /// A program that is to run on this host.
    #[must_use]
    pub fn on(&self, host: Host, launch: Launch) -> Launch {
        launch.under("ip", &["netns", "exec", &self.namespace(host.name())])
    }

    fn namespace(&self, name: &str) -> String {
        format!("{}-{name}", self.name)
    }

    fn relay(&self, relays: bool) -> anyhow::Result<()> {
        let (router, relays) = (self.namespace("router"), u8::from(relays));
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &router, "sh", "-c"]);
        run(command.arg(format!("echo {relays} > /proc/sys/net/ipv4/ip_forward")))
    }
}

impl Drop for SplitNetwork {
    fn drop(&mut self) {
        for name in ["router", "left", "right"] {
            // What was never made can't be removed.
            let _ = Command::new("ip")
                .args(["netns", "del", &self.namespace(name)])
                .output();
        }
    }
}

fn ip(arguments: &str) -> anyhow::Result<()> {
    run(Command::new("ip").args(arguments.split(' ')))
}

fn run(command: &mut Command) -> anyhow::Result<()> {
    let output = command
        .output()
        .with_context(|| format!("cannot run {}", CommandLine(command)))?;
    let complaints = String::from_utf8_lossy(&output.stderr);
    ensure!(
        output.status.success(),
        "{}: {}\n{complaints}",
        CommandLine(command),
        output.status
    );
    Ok(())
}
