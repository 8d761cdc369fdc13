//! Official nodes exchange stream frames with each other over their WebRTC lane, which they agree on by way of this
//! workspace's registry.

use harness::{Deployment, Host, Launch, WAIT_TIMEOUT, own_program};

use crate::network::Network;

const FRAMES: u32 = 1000;

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
            .args(["--registry", &url])
            .args(arguments)
    };
    let server = network.on(Host::Left, official("official server", &["serve"])).spawn();
    server.wait_for_line("official server ready as ", WAIT_TIMEOUT);
    let client = network
        .on(Host::Right, official("official client", &["receive", &count]))
        .run();
    assert_eq!(client.code(), Some(0), "{}", client.stderr);
    let received = format!("{FRAMES} of {FRAMES} frames in order over WebRTC");
    assert!(client.stdout.contains(&received), "{}", client.stdout);
    assert!(server.is_running());
}
