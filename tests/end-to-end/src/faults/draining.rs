//! A server that is told to stop while it sends: it leaves, and its clients resume at another.

use std::time::Instant;

use harness::{Deployment, FaultReport, Process, Signal, Summary, WAIT_TIMEOUT};

use super::{assert_success, client, fleet::Fleet, wait_for_frame, wait_for_recovery};

const CLIENTS: usize = 10;
const FRAMES: u64 = 400;
const PACE: [&str; 2] = ["--interval", "10ms"];

#[test]
fn clients_of_a_stopped_server_resume_at_another() {
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
fn a_stopped_server_does_not_wait_for_resumed_streams() {
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
fn a_client_of_a_single_stopped_server_says_what_is_missing() {
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
