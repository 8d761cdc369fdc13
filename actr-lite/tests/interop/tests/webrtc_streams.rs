//! The shipped programs, built with WebRTC, stream with official nodes over data channels, which they agree on by way of
//! this workspace's registry.

use std::time::{Duration, Instant};

use harness::{Deployment, Host, Launch, Process, Signal, Summary, WAIT_TIMEOUT, own_program};

use crate::network::Network;

const FRAMES: u64 = 10_000;

/// How long after the death of an official server whoever receives from it is told.
const TOLD_WITHIN: Duration = Duration::from_secs(10);

/// How long either node may take at most for its first call: half of what an official one waits for WebRTC before it dials.
const AT_ONCE: Duration = Duration::from_secs(15);

/// How many calls each of two nodes makes that call each other: they take longer than an official node's first pause, 1 s.
const CALLS: &str = "150";

/// More frames than are sent until somebody dies.
const ENDLESS: &str = "10000000";

/// Which node starts first: it is the one that offers.
enum Started {
    Official,
    Own,
}

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

    /// With the published registry.
    pub(crate) fn with_official_registry() -> Self {
        let (network, deployment) = (Network::new(), Deployment::with_webrtc());
        let registry = Launch::new("official registry", &own_program("official-registry"));
        let registry = registry.arg(format!("{}:0", network.address()));
        let registry = network.on(Host::Left, registry).spawn();
        let line = registry.wait_for_line("official registry at ", WAIT_TIMEOUT);
        let (_, url) = line.split_once(" at ").unwrap();
        Self {
            url: url.to_owned(),
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
        launch.args(["--registry", &self.url]).args(arguments)
    }

    fn official_server(&self) -> Process {
        self.official_server_of(&[])
    }

    /// One whose frames are as the arguments say.
    pub(crate) fn official_server_of(&self, frames: &[&str]) -> Process {
        let arguments = [&["serve"], frames].concat();
        let server = self
            .on(Host::Left, self.official("official server", &arguments))
            .spawn();
        server.wait_for_line("official server ready as ", WAIT_TIMEOUT);
        server
    }

    fn official_client(&self, counts: &[&str]) -> Launch {
        self.official_client_that(&[&["receive"], counts].concat())
    }

    pub(crate) fn official_client_that(&self, arguments: &[&str]) -> Launch {
        self.on(Host::Right, self.official("official client", arguments))
    }

    /// A server of this workspace whose frames are as the arguments say.
    pub(crate) fn own_server_of(&self, frames: &[&str]) -> Process {
        let server = Launch::new("own server", &own_program("own-streams"))
            .args([&self.url, "1", "serve"])
            .arg(self.deployment.path("server/Actr.toml"))
            .args(frames);
        let server = self.on(Host::Left, server).spawn();
        server.wait_for_line("own server ready as ", WAIT_TIMEOUT);
        server
    }

    /// A client of this workspace that looks at each frame.
    pub(crate) fn own_client_that(&self, arguments: &[&str]) -> Launch {
        let client = Launch::new("own client", &own_program("own-streams"));
        self.on(Host::Right, client.args([&self.url, "1"]).args(arguments))
    }

    fn started_server(&self) -> Process {
        let server = self.server().spawn();
        server.ready();
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

    /// Each of two nodes calls the other one as soon as it has found it.
    fn calls_both_ways_at_once(&self, first: Started) {
        let official = || {
            let official = self.on(Host::Left, self.official("official node", &["both", CALLS]));
            let official = official.spawn();
            official.wait_for_line("official server ready as ", WAIT_TIMEOUT);
            official
        };
        let own = || {
            let own = Launch::new("own node", &own_program("own-node"));
            let own = own.arg(self.deployment.path("server/Actr.toml")).args([
                &self.url,
                "acme:StreamEchoClient:1.0.0",
                CALLS,
            ]);
            let own = self.on(Host::Right, own).spawn();
            own.wait_for_line("own node ready", WAIT_TIMEOUT);
            own
        };
        let nodes = match first {
            Started::Official => [official(), own()],
            Started::Own => [own(), official()],
        };
        for node in &nodes {
            let answered = node.wait_for_line(&format!("answered {CALLS} calls, the first after "), WAIT_TIMEOUT);
            let first = answered
                .rsplit(' ')
                .nth(1)
                .and_then(|first| first.parse().ok())
                .unwrap();
            assert!(Duration::from_millis(first) < AT_ONCE, "{answered}");
        }
    }

    fn receives_from_an_official_server(&self) {
        let client = self.client(FRAMES).arg("--json").run();
        let summary = Summary::of_success(&client, FRAMES);
        assert_eq!((summary.resumes, summary.servers.len()), (0, 1));
    }

    fn an_official_client_receives(&self) {
        let client = self.official_client(&[&FRAMES.to_string()]).run();
        assert_eq!(client.code(), Some(0), "{}", client.stderr);
        let received = format!("{FRAMES} of {FRAMES} frames in order over WebRTC");
        assert!(client.stdout.contains(&received), "{}", client.stdout);
        let begun = format!("the stream of {FRAMES} frames has begun after ");
        let begun = client.stdout.lines().find_map(|line| line.strip_prefix(&begun));
        let after = begun.and_then(|begun| begun.strip_suffix(" ms")?.parse().ok());
        assert!(Duration::from_millis(after.unwrap()) < AT_ONCE, "{}", client.stdout);
    }
}

#[test]
pub(crate) fn an_official_server_streams_to_our_client() {
    let scene = Scene::new();
    let _server = scene.official_server();
    scene.receives_from_an_official_server();
}

#[test]
pub(crate) fn our_server_streams_to_an_official_client() {
    let scene = Scene::new();
    let server = scene.started_server();
    scene.an_official_client_receives();
    assert!(server.is_running());
}

#[test]
pub(crate) fn our_server_streams_with_the_published_registry() {
    let scene = Scene::with_official_registry();
    let _server = scene.started_server();
    scene.an_official_client_receives();
}

#[test]
pub(crate) fn calls_both_ways_at_once_are_answered_at_once() {
    Scene::new().calls_both_ways_at_once(Started::Official);
}

#[test]
pub(crate) fn calls_both_ways_are_answered_if_our_node_offers() {
    Scene::new().calls_both_ways_at_once(Started::Own);
}

#[test]
pub(crate) fn calls_both_ways_are_answered_with_the_published_registry() {
    Scene::with_official_registry().calls_both_ways_at_once(Started::Official);
}

#[test]
pub(crate) fn an_official_client_goes_on_when_our_server_dies() {
    let scene = Scene::new();
    let server = scene.started_server();
    let client = scene.official_client(&[ENDLESS, &FRAMES.to_string()]).spawn();
    client.wait_for_line(&format!("the stream of {ENDLESS} frames has begun"), WAIT_TIMEOUT);
    server.signal(Signal::KILL);
    let _next = scene.started_server();
    client.wait_for_line(&format!("the stream of {ENDLESS} frames is lost"), WAIT_TIMEOUT);
    client.wait_for_line(
        &format!("{FRAMES} of {FRAMES} frames in order over WebRTC"),
        WAIT_TIMEOUT * 2,
    );
}

#[test]
pub(crate) fn our_server_goes_on_when_an_official_client_dies() {
    let scene = Scene::new();
    let server = scene.started_server();
    let client = scene.official_client(&[ENDLESS]).spawn();
    client.wait_for_line(&format!("the stream of {ENDLESS} frames has begun"), WAIT_TIMEOUT);
    client.signal(Signal::KILL);
    scene.an_official_client_receives();
    assert!(server.is_running());
}

#[test]
pub(crate) fn the_death_of_an_official_server_is_told_in_time() {
    let scene = Scene::new();
    let server = scene.official_server();
    let client = scene.client(ENDLESS.parse().unwrap()).arg("-v").spawn();
    client.wait_for_line("Received: ", WAIT_TIMEOUT);
    let died = Instant::now();
    server.signal(Signal::KILL);
    client.wait_for_line("stopped after frame", WAIT_TIMEOUT);
    assert!(died.elapsed() < TOLD_WITHIN, "{:?}", died.elapsed());
}
