//! The registry introduces nodes and is then no longer needed: streams outlive it, and nodes come back to it.

use harness::{Deployment, Process, Signal, Summary, WAIT_TIMEOUT, port_of};

/// A client in the middle of a stream of fifty messages, which takes five seconds.
fn client_in_its_stream(deployment: &Deployment, url: &str) -> (Process, Process) {
    let server = deployment.server_at(url).args(["--interval", "50ms"]).spawn();
    server.ready();
    let client = deployment.client(url, 50).arg("--json").spawn();
    client.wait_for_line("Stream message 3 for", WAIT_TIMEOUT);
    (server, client)
}

#[test]
fn a_stream_outlives_the_registry() {
    let deployment = Deployment::new();
    let (registry, url) = deployment.start_registry();
    let (server, client) = client_in_its_stream(&deployment, &url);
    registry.signal(Signal::KILL);
    Summary::of_success(&client.finish(), 50);
    server.wait_for_line("all 50 frames sent", WAIT_TIMEOUT);
    server.signal(Signal::TERM);
    assert_eq!(server.wait_exit(WAIT_TIMEOUT).code(), Some(0));
}

#[test]
fn a_stream_outlives_a_registry_that_falls_silent() {
    let deployment = Deployment::new();
    let (registry, url) = deployment.start_registry();
    let (server, client) = client_in_its_stream(&deployment, &url);
    registry.signal(Signal::STOP);
    Summary::of_success(&client.finish(), 50);
    server.signal(Signal::TERM);
    assert_eq!(server.wait_exit(WAIT_TIMEOUT).code(), Some(0));
}

#[test]
fn a_server_is_found_again_after_the_registry_was_restarted() {
    let deployment = Deployment::new();
    let (registry, url) = deployment.start_registry();
    let server = deployment.server_at(&url).spawn();
    server.ready();
    Summary::of_success(&deployment.client(&url, 3).arg("--json").run(), 3);

    registry.signal(Signal::KILL);
    registry.wait_exit(WAIT_TIMEOUT);
    let again = deployment.registry(port_of(&url)).named("registry again").spawn();
    assert_eq!(again.registry_url(), url);
    Summary::of_success(&deployment.client(&url, 3).arg("--json").run(), 3);
    assert!(server.is_running());
}

#[test]
fn a_registry_stops_at_a_signal_with_nodes_connected() {
    let deployment = Deployment::new();
    for signal in [Signal::INT, Signal::TERM] {
        let (registry, url) = deployment.start_registry();
        let server = deployment.server_at(&url).spawn();
        server.ready();
        registry.signal(signal);
        assert_eq!(registry.wait_exit(WAIT_TIMEOUT).code(), Some(0));
        assert!(server.is_running());
    }
}
