//! Official nodes exchange stream frames with each other over their WebRTC lane, which they agree on by way of this
//! workspace's registry.
//!
//! That lane never uses the loopback interface. Where network namespaces can be made, for which it takes root and `ip` of
//! iproute2, the nodes run on two hosts of a network of their own; elsewhere on this machine's own address.

use std::net::UdpSocket;

use harness::{Deployment, Host, Launch, SplitNetwork, WAIT_TIMEOUT, own_program};

const FRAMES: u32 = 1000;

/// Where the nodes run.
enum Network {
    TwoHosts(SplitNetwork),
    /// An address of this machine: what goes there does not leave it.
    OwnAddress(String),
}

impl Network {
    #[allow(clippy::print_stderr, reason = "what the test shows depends on it")]
    fn new() -> Self {
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
    fn address(&self) -> &str {
        match self {
            Self::TwoHosts(_) => Host::Left.address(),
            Self::OwnAddress(address) => address,
        }
    }

    fn on(&self, host: Host, launch: Launch) -> Launch {
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

#[test]
fn official_nodes_stream_to_each_other_by_way_of_our_registry() {
    let network = Network::new();
    let deployment = Deployment::new();
    let listen = format!("{}:0", network.address());
    // Official nodes speak no TLS to it, and the network is the test's own.
    let registry = deployment.registry_on(&listen).arg("--insecure");
    let registry = network.on(Host::Left, registry).spawn();
    let url = registry.registry_url();
    let count = FRAMES.to_string();
    let official = |name: &str, arguments: &[&str]| {
        Launch::new(name, &own_program("official-node"))
            .args([&url, "1"])
            .args(arguments)
    };
    let server = network.on(Host::Left, official("official server", &["serve"])).spawn();
    server.wait_for_line("official server ready as ", WAIT_TIMEOUT);
    let client = network
        .on(Host::Right, official("official client", &["receive", &count]))
        .run();
    assert_eq!(client.code(), Some(0), "{}", client.stderr);
    let received = format!("received {FRAMES}/{FRAMES} frames in order");
    assert!(client.stdout.contains(&received), "{}", client.stdout);
    assert!(server.is_running());
}
