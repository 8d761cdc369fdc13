//! A program that loses its peer in the middle of a stream notices soon, says why, and leaves nothing running.

use harness::{Deployment, Process, Signal, Summary, WAIT_TIMEOUT};

/// A stream that would take a day: it ends only by what the test does.
const ENDLESS: u64 = 1_000_000;
const PACED: [&str; 2] = ["--interval", "100ms"];

/// A client in the middle of its stream, which looks for another server for a second.
fn client_in_its_stream(deployment: &Deployment, url: &str) -> Process {
    let client = deployment
        .client(url, ENDLESS)
        .args(["--json", "-v", "--timeout", "1s"])
        .spawn();
    client.wait_for_line("Stream message 3 for", WAIT_TIMEOUT);
    client
}

/// A client's end after its only server was lost: it fails, says why, and how many messages it has and lacks.
#[track_caller]
fn assert_lost(client: &Process, server_id: &str) {
    let client = client.finish();
    let summary = Summary::of(&client);
    let (has, lacks) = (summary.received.to_string(), summary.missing.to_string());
    client.assert_fails_with(&[server_id, &has, &lacks]);
    assert!((3..ENDLESS).contains(&summary.received), "{summary:?}");
    assert_eq!(summary.expected, ENDLESS);
    assert_eq!(summary.missing, ENDLESS - summary.received);
    assert_eq!(summary.out_of_order, 0);
}

#[test]
fn a_client_without_a_server_times_out_with_the_reason() {
    let deployment = Deployment::new();
    let (_registry, url) = deployment.start_registry();
    let server = deployment.server_at(&url).args(PACED).spawn();
    let server_id = server.ready();
    let client = client_in_its_stream(&deployment, &url);
    server.signal(Signal::KILL);
    assert_lost(&client, &server_id);
}

#[test]
fn a_client_fails_too_if_the_registry_dies_with_the_server() {
    let deployment = Deployment::new();
    let (server, url) = deployment.start_server(&PACED);
    let server_id = server.ready();
    let client = client_in_its_stream(&deployment, &url);
    server.signal(Signal::KILL);
    assert_lost(&client, &server_id);
}

#[test]
fn a_client_gives_up_a_server_that_falls_silent() {
    let deployment = Deployment::new();
    let (_registry, url) = deployment.start_registry();
    let server = deployment.server_at(&url).args(PACED).spawn();
    let server_id = server.ready();
    let client = client_in_its_stream(&deployment, &url);
    server.signal(Signal::STOP);
    assert_lost(&client, &server_id);
}

#[test]
fn a_server_ends_the_stream_of_a_killed_client() {
    let deployment = Deployment::new();
    let (server, url) = deployment.start_server(&PACED);
    let client = client_in_its_stream(&deployment, &url);
    client.signal(Signal::KILL);
    let line = server.wait_for_line(" frames: ", WAIT_TIMEOUT);
    assert!(line.contains(": ended after "), "{line}");
    assert!(!line.trim_end().ends_with("frames:"), "no reason: {line}");
    Summary::of_success(&deployment.client(&url, 3).arg("--json").run(), 3);
    assert_eq!(server.lines_with("ended after").len(), 1);
}

#[test]
fn streams_of_other_clients_go_on_when_one_is_killed() {
    let deployment = Deployment::new();
    let (server, url) = deployment.start_server(&PACED);
    let other = deployment.client(&url, 20).arg("--json").named("other client").spawn();
    let client = client_in_its_stream(&deployment, &url);
    client.signal(Signal::KILL);
    server.wait_for_line("ended after ", WAIT_TIMEOUT);
    Summary::of_success(&other.finish(), 20);
}

#[test]
fn a_server_gives_up_a_client_that_falls_silent() {
    let deployment = Deployment::new();
    let (server, url) = deployment.start_server(&PACED);
    let client = client_in_its_stream(&deployment, &url);
    client.signal(Signal::STOP);
    let line = server.wait_for_line(" frames: ", WAIT_TIMEOUT);
    assert!(line.contains(": ended after "), "{line}");
}
