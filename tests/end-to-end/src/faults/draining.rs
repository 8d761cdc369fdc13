//! A server that is told to stop while it sends: it leaves, and its clients go on at another.

use std::time::Instant;

use harness::{Deployment, FaultReport, Process, Signal, Summary, WAIT_TIMEOUT};

use super::{assert_success, client, fleet::Fleet, wait_for_frame, wait_for_recovery};

const CLIENTS: usize = 10;
const FRAMES: u64 = 400;
const PACE: [&str; 2] = ["--interval", "10ms"];

#[test]
fn clients_of_a_server_that_is_stopped_go_on_at_another_as_if_nothing_had_happened() {
    let deployment = Deployment::new();
    let (_registry, url) = deployment.start_registry();
    let mut fleet = Fleet::new(&deployment, &url, &PACE);
    let first = fleet.start();
    let start = |number| {
        client(&deployment, &url, FRAMES)
            .named(&format!("client {number}"))
            .spawn()
    };
    let clients: Vec<Process> = (1..=CLIENTS).map(start).collect();
    clients.iter().for_each(|client| wait_for_frame(client, 1));
    fleet.start();

    let server = fleet.take(first);
    let fault = Instant::now();
    server.signal(Signal::TERM);
    let mut report = FaultReport::new("server stopped (SIGTERM) under load");
    for client in &clients {
        report.recovered_after(wait_for_recovery(client, fault));
    }
    assert_eq!(server.wait_exit(WAIT_TIMEOUT).code(), Some(0));
    for client in &clients {
        let client = client.finish();
        let summary = report.count(&client, FRAMES);
        assert_success(&client);
        assert_eq!((summary.resumes, summary.servers.len()), (1, 2), "{summary:?}");
        assert!(!client.stderr.contains("ERROR"), "{}", client.stderr);
    }
    report.finish();
}

#[test]
fn a_server_that_is_stopped_does_not_wait_for_streams_that_go_on_elsewhere() {
    const ENDLESS: u64 = 1_000_000;
    let deployment = Deployment::new();
    let (_registry, url) = deployment.start_registry();
    let mut fleet = Fleet::new(&deployment, &url, &PACE);
    let first = fleet.start();
    let client = client(&deployment, &url, ENDLESS).spawn();
    wait_for_frame(&client, 3);
    fleet.start();
    let server = fleet.take(first);
    server.signal(Signal::TERM);
    assert_eq!(server.wait_exit(WAIT_TIMEOUT).code(), Some(0));
    assert!(client.is_running(), "the stream was to outlive the server");
}

#[test]
fn a_client_whose_only_server_is_stopped_says_what_it_has_and_lacks() {
    const ENDLESS: u64 = 1_000_000;
    let deployment = Deployment::new();
    let (_registry, url) = deployment.start_registry();
    let server = deployment.server_at(&url).args(PACE).spawn();
    server.ready();
    let client = deployment
        .client(&url, ENDLESS)
        .args(["--json", "-v", "--timeout", "1s"]);
    let client = client.spawn();
    wait_for_frame(&client, 3);
    server.signal(Signal::TERM);
    assert_eq!(server.wait_exit(WAIT_TIMEOUT).code(), Some(0));
    let client = client.finish();
    let summary = Summary::of(&client);
    assert_eq!(summary.missing, ENDLESS - summary.received);
    assert!(summary.received >= 3, "{summary:?}");
    client.assert_fails_with(&[&summary.received.to_string(), &summary.missing.to_string(), "no server"]);
}
