//! The shipped programs, built with WebRTC, stream with official nodes over data channels, which they agree on by way of
//! this workspace's registry.

use std::time::{Duration, Instant};

use harness::{Deployment, Host, Launch, Process, Signal, Summary, WAIT_TIMEOUT, own_program};

use crate::network::Network;

const FRAMES: u64 = 10_000;

/// How long after the death of an official server whoever receives from it is told.
const TOLD_WITHIN: Duration = Duration::from_secs(10);

/// Two hosts, and a registry on the left one.
pub(crate) struct Scene {
    network: Network,
    deployment: Deployment,
    url: String,
    _registry: Process,
}

impl Scene {
    pub(crate) fn new() -> Self {
        let (network, deployment) = (Network::new(), Deployment::with_webrtc());
        let registry = deployment.registry_on(&format!("{}:0", network.address()));
        // Official nodes speak no TLS to it, and the network is the test's own.
        let registry = network.on(Host::Left, registry.arg("--insecure")).spawn();
        Self {
            url: registry.registry_url(),
            network,
            deployment,
            _registry: registry,
        }
    }

    pub(crate) fn on(&self, host: Host, launch: Launch) -> Launch {
        self.network.on(host, launch)
    }

    fn official(&self, name: &str, arguments: &[&str]) -> Launch {
        let launch = Launch::new(name, &own_program("official-node"));
        launch.args([&self.url, "1"]).args(arguments)
    }

    fn official_server(&self) -> Process {
        let server = self
            .on(Host::Left, self.official("official server", &["serve"]))
            .spawn();
        server.wait_for_line("official server ready as ", WAIT_TIMEOUT);
        server
    }

    /// Where the registry is.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    pub(crate) fn server(&self) -> Launch {
        let server = self.deployment.server_at(&self.url);
        self.on(Host::Left, server.config("system.insecure", true))
    }

    pub(crate) fn client(&self, count: u64) -> Launch {
        let client = self.deployment.client(&self.url, count);
        self.on(Host::Right, client.config("system.insecure", true))
    }
}

#[test]
fn an_official_server_streams_to_our_client() {
    let scene = Scene::new();
    let _server = scene.official_server();
    let client = scene.client(FRAMES).arg("--json").run();
    let summary = Summary::of_success(&client, FRAMES);
    assert_eq!((summary.resumes, summary.servers.len()), (0, 1));
}

#[test]
fn our_server_streams_to_an_official_client() {
    let scene = Scene::new();
    let server = scene.server().spawn();
    server.ready();
    let client = scene.official("official client", &["receive", &FRAMES.to_string()]);
    let client = scene.on(Host::Right, client).run();
    assert_eq!(client.code(), Some(0), "{}", client.stderr);
    let received = format!("received {FRAMES}/{FRAMES} frames in order");
    assert!(client.stdout.contains(&received), "{}", client.stdout);
    assert!(server.is_running());
}

#[test]
fn the_death_of_an_official_server_is_told_in_time() {
    let scene = Scene::new();
    let server = scene.official_server();
    // More than it can send until it dies.
    let client = scene.client(10_000_000).arg("-v").spawn();
    client.wait_for_line("Received: ", WAIT_TIMEOUT);
    let died = Instant::now();
    server.signal(Signal::KILL);
    client.wait_for_line("stopped after frame", WAIT_TIMEOUT);
    assert!(died.elapsed() < TOLD_WITHIN, "{:?}", died.elapsed());
}
