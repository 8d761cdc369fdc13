//! The parts of a test: routers, a registry, a relay, and nodes.

use std::{fs, os::unix::fs::PermissionsExt as _, path::PathBuf};

use harness::{Certificates, Deployment, Host, Launch, Process, WAIT_TIMEOUT, own_program, port_of};

use crate::{
    coturn::{self, Users},
    network::{Nat, Network, PUBLIC},
};

/// Where the relay is; behind a path that loses something; over TCP; with TLS.
pub(crate) const OVER_UDP: &str = "turn:192.0.2.10:3478";
pub(crate) const OVER_LOSSY_UDP: &str = "turn:192.0.2.10:3479";
pub(crate) const OVER_TCP: &str = "turn:192.0.2.10:3478?transport=tcp";
pub(crate) const OVER_TLS: &str = "turns:192.0.2.10:5349";
pub(crate) const OVER_IPV6: &str = "turn:[2001:db8:1::2]:3478";

/// Two hosts behind routers, and a registry and a relay that both reach.
pub(crate) struct Scene {
    pub(crate) network: Network,
    pub(crate) deployment: Deployment,
    certificates: Certificates,
    url: String,
    coturn: Option<Process>,
    registry: Option<Process>,
}

impl Scene {
    /// With relays for which the registry grants credentials; if there are none, the relay knows a user. `None` where it can't be made, and says why.
    #[allow(
        clippy::print_stderr,
        reason = "whoever reads the results is to know what was not tested"
    )]
    pub(crate) fn new(nat: Nat, relays: &[&str]) -> Option<Self> {
        let able = coturn::program().and_then(|_| Network::check());
        if let Err(error) = able {
            eprintln!("skipped: {error:#}");
            return None;
        }
        let mut network = Network::try_new(nat).unwrap_or_else(|error| panic!("{error:#}"));
        if relays.contains(&OVER_IPV6)
            && let Err(error) = network.add_ipv6()
        {
            eprintln!("skipped: there is no IPv6: {error:#}");
            return None;
        }
        Some(Self::try_new(network, relays).unwrap_or_else(|error| panic!("{error:#}")))
    }

    fn try_new(network: Network, relays: &[&str]) -> anyhow::Result<Self> {
        let deployment = Deployment::with_webrtc();
        let certificates = Certificates::for_hosts(&deployment.path("certs"), &[PUBLIC]);
        let users = if relays.is_empty() {
            Users::Named
        } else {
            Users::Registered
        };
        let coturn = coturn::start(&network, &deployment.path(""), &certificates, users)?;
        let secret = deployment.path("turn-secret");
        fs::write(&secret, coturn::SECRET)?;
        fs::set_permissions(&secret, fs::Permissions::from_mode(0o600))?;
        let mut scene = Self {
            url: String::new(),
            network,
            deployment,
            certificates,
            coturn: Some(coturn),
            registry: None,
        };
        scene.start_registry(0, relays);
        Ok(scene)
    }

    /// A registry that names these relays.
    fn start_registry(&mut self, port: u16, relays: &[&str]) {
        // The network is the test's own.
        let mut registry = self
            .deployment
            .registry_on(&format!("{PUBLIC}:{port}"))
            .arg("--insecure");
        for relay in relays {
            registry = registry.args(["--turn-url", relay]);
        }
        if !relays.is_empty() {
            registry = registry
                .arg("--turn-secret-file")
                .arg(self.deployment.path("turn-secret"));
        }
        let registry = self.network.public(registry).spawn();
        self.url = registry.registry_url();
        self.registry = Some(registry);
    }

    /// The registry names these relays from now on, and no others.
    pub(crate) fn restart_registry(&mut self, relays: &[&str]) {
        drop(self.registry.take());
        self.start_registry(port_of(&self.url), relays);
    }

    /// A relay at [`OVER_LOSSY_UDP`] loses so many of a thousand datagrams, holds so many back, and loses the first ones.
    pub(crate) fn lossy_path(&self, lost: u32, reordered: u32, first: u32) -> Process {
        let faults = [lost, reordered, first].map(|number| number.to_string());
        let addresses = [format!("{PUBLIC}:3479"), format!("{PUBLIC}:3478")];
        let path = Launch::new("lossy path", &own_program("lossy-path"));
        self.network.public(path.args(addresses).args(faults)).spawn()
    }

    /// The relay dies, and another one takes its place, which knows nothing.
    pub(crate) fn restart_relay(&mut self) {
        drop(self.coturn.take());
        let folder = self.deployment.path("");
        let coturn = coturn::start(&self.network, &folder, &self.certificates, Users::Registered);
        self.coturn = Some(coturn.unwrap());
    }

    /// A server behind the left router, which is ready.
    pub(crate) fn server(&self, settings: &[(&str, &str)]) -> Process {
        self.server_with(&[], settings)
    }

    /// The same with these arguments.
    pub(crate) fn server_with(&self, arguments: &[&str], settings: &[(&str, &str)]) -> Process {
        let server = self.deployment.server_at(&self.url).arg("-v").args(arguments);
        let server = self.node(Host::Left, server, settings).spawn();
        server.ready();
        server
    }

    /// A client behind the right router.
    pub(crate) fn client(&self, count: u64, settings: &[(&str, &str)]) -> Launch {
        let client = self.deployment.client(&self.url, count).args(["--json", "-v"]);
        self.node(Host::Right, client, settings)
    }

    fn node(&self, host: Host, launch: Launch, settings: &[(&str, &str)]) -> Launch {
        let launch = launch
            .config("system.insecure", true)
            .config("system.webrtc.mode", "\"prefer\"");
        let launch = settings.iter().fold(launch, |launch, (key, value)| {
            launch.config(&format!("system.webrtc.{key}"), value)
        });
        self.network.on(host, self.certificates.trusted_by(launch))
    }

    /// A file of a node's own, with this content.
    pub(crate) fn secret_file(&self, name: &str, content: &str) -> PathBuf {
        let path = self.deployment.path(name);
        fs::write(&path, content).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        path
    }
}

/// What a node says when it has a path to its peer.
pub(crate) fn wait_for_path(process: &Process, is_relayed: bool) {
    let kind = if is_relayed { "relayed" } else { "direct" };
    process.wait_for_line(&format!("the path to the peer is {kind}"), WAIT_TIMEOUT);
}
