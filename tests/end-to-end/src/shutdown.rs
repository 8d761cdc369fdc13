//! SIGINT and SIGTERM end a program cleanly: streams that run are finished, the peer is told, the exit code is right.

use std::time::{Duration, Instant};

use harness::{Deployment, Signal, Summary, WAIT_TIMEOUT, registry_url, unused_port};

/// A stream that would take a day.
const ENDLESS: u64 = 1_000_000;

fn signal_name(signal: Signal) -> &'static str {
    match signal {
        Signal::INT => "SIGINT",
        _ => "SIGTERM",
    }
}

#[test]
fn an_idle_server_stops_at_a_signal() {
    let deployment = Deployment::new();
    for signal in [Signal::INT, Signal::TERM] {
        let (server, _) = deployment.start_server(&[]);
        server.signal(signal);
        assert_eq!(server.finish().code(), Some(0));
    }
}

#[test]
fn a_server_that_is_stopped_finishes_the_streams_that_run() {
    let deployment = Deployment::new();
    for signal in [Signal::INT, Signal::TERM] {
        let (server, url) = deployment.start_server(&["--interval", "50ms"]);
        let client = deployment.client(&url, 20).arg("--json").spawn();
        client.wait_for_line("Stream message 3 for", WAIT_TIMEOUT);
        server.signal(signal);
        Summary::of_success(&client.finish(), 20);
        let server = server.finish();
        assert_eq!(server.code(), Some(0));
        assert!(server.stderr.contains("all 20 frames sent"), "{}", server.stderr);
    }
}

#[test]
fn a_server_that_is_stopped_is_no_longer_found() {
    let deployment = Deployment::new();
    let (_registry, url) = deployment.start_registry();
    let server = deployment.server_at(&url).spawn();
    server.ready();
    server.signal(Signal::TERM);
    assert_eq!(server.wait_exit(WAIT_TIMEOUT).code(), Some(0));
    let client = deployment.client(&url, 3).args(["--timeout", "500ms"]).run();
    client.assert_fails_with(&["no server"]);
}

#[test]
fn a_second_signal_ends_the_server_at_once() {
    let deployment = Deployment::new();
    let (server, url) = deployment.start_server(&["--interval", "100ms"]);
    let client = deployment
        .client(&url, ENDLESS)
        .args(["--json", "-v", "--timeout", "1s"])
        .spawn();
    client.wait_for_line("Stream message 3 for", WAIT_TIMEOUT);
    // Two different signals, as a second of one kind may be merged with the first. Which one comes first is all the same.
    server.signal(Signal::INT);
    server.signal(Signal::TERM);
    // A clean end, after the grace for the stream, would be 0.
    assert_ne!(server.wait_exit(WAIT_TIMEOUT).code(), Some(0));
    assert!(!client.finish().error().is_empty());
}

#[test]
fn a_client_that_is_stopped_fails_and_its_server_is_told() {
    let deployment = Deployment::new();
    let (server, url) = deployment.start_server(&["--interval", "100ms"]);
    for signal in [Signal::INT, Signal::TERM] {
        let client = deployment.client(&url, ENDLESS).args(["--json", "-v"]).spawn();
        client.wait_for_line("Stream message 3 for", WAIT_TIMEOUT);
        client.signal(signal);
        let finished = client.finish();
        finished.assert_fails_with(&[signal_name(signal)]);
        let summary = Summary::of(&finished);
        assert!((3..ENDLESS).contains(&summary.received), "{summary:?}");
        let line = server.wait_for_line(&format!("stream {}: ended after ", summary.stream_id), WAIT_TIMEOUT);
        assert!(line.contains(" frames: "), "{line}");
    }
    assert!(server.is_running());
}

#[test]
fn a_client_that_waits_for_a_server_stops_at_a_signal() {
    let deployment = Deployment::new();
    let (_registry, url) = deployment.start_registry();
    for signal in [Signal::INT, Signal::TERM] {
        let client = deployment.client(&url, 10).args(["--timeout", "1h"]).spawn();
        client.wait_for_line("retrying for up to ", WAIT_TIMEOUT);
        client.signal(signal);
        client.finish().assert_fails_with(&[signal_name(signal)]);
    }
}

#[test]
fn a_server_that_waits_for_its_registry_stops_at_a_signal() {
    let deployment = Deployment::new();
    let url = registry_url(unused_port());
    let server = deployment.server_at(&url).spawn();
    server.wait_for_line(&url, WAIT_TIMEOUT);
    server.signal(Signal::TERM);
    server.wait_exit(WAIT_TIMEOUT);
    assert!(server.lines_with("server ready").is_empty());
}

#[test]
fn a_stream_longer_than_the_grace_ends_with_a_reason() {
    let deployment = Deployment::new();
    let (server, url) = deployment.start_server(&["--interval", "100ms"]);
    let client = deployment
        .client(&url, ENDLESS)
        .args(["--json", "-v", "--timeout", "1s"])
        .spawn();
    client.wait_for_line("Stream message 3 for", WAIT_TIMEOUT);
    server.signal(Signal::TERM);
    assert_eq!(server.finish().code(), Some(0));
    let client = client.finish();
    client.assert_fails_with(&["not complete", "shutting down"]);
    assert!(Summary::of(&client).received >= 3);
    server.wait_for_line(": ended after ", WAIT_TIMEOUT);
}

#[test]
fn a_frozen_client_keeps_a_server_no_longer_than_its_grace() {
    /// Far more than the grace, and less than the server's usual one and the wait for a peer that does not close.
    const SOON: Duration = Duration::from_secs(7);
    let deployment = Deployment::new();
    let server = deployment.server().config("system.shutdown_grace", "1s").spawn();
    let url = server.registry_url();
    server.ready();
    let client = deployment.client(&url, ENDLESS).arg("-v").spawn();
    client.wait_for_line("Stream message 3 for", WAIT_TIMEOUT);
    client.signal(Signal::STOP);
    let started = Instant::now();
    server.signal(Signal::TERM);
    let server = server.finish();
    assert!(started.elapsed() < SOON, "{:?}: {}", started.elapsed(), server.stderr);
    assert_eq!(server.code(), Some(0));
    let told = "1 tasks did not finish within 1 s and are dropped: [system] shutdown_grace is 1 s";
    assert!(server.stderr.contains(told), "{}", server.stderr);
}

#[test]
fn by_default_all_is_over_before_a_container_is_killed() {
    /// What container runtimes grant, and as much again for a machine that is busy.
    const BOUND: Duration = Duration::from_secs(20);
    let deployment = Deployment::new();
    let (registry, url) = deployment.start_registry();
    let server = deployment.server_at(&url).args(["--interval", "100ms"]).spawn();
    server.ready();
    let client = deployment.client(&url, ENDLESS).arg("-v").spawn();
    client.wait_for_line("Stream message 3 for", WAIT_TIMEOUT);
    // It neither takes frames nor closes a connection, neither the server's nor the registry's.
    client.signal(Signal::STOP);
    let started = Instant::now();
    server.signal(Signal::TERM);
    registry.signal(Signal::TERM);
    assert_eq!(registry.wait_exit(WAIT_TIMEOUT).code(), Some(0));
    assert_eq!(server.wait_exit(WAIT_TIMEOUT).code(), Some(0));
    assert!(started.elapsed() < BOUND, "{:?}", started.elapsed());
}

#[test]
fn streams_may_finish_for_six_of_a_shutdowns_eight_seconds() {
    let deployment = Deployment::new();
    let (server, url) = deployment.start_server(&["--interval", "100ms"]);
    let client = deployment.client(&url, ENDLESS).arg("-v").spawn();
    client.wait_for_line("Stream message 3 for", WAIT_TIMEOUT);
    server.signal(Signal::TERM);
    server.wait_for_line("1 tasks may finish within 6 s", WAIT_TIMEOUT);
    // Without its client it is done at once.
    client.signal(Signal::KILL);
    assert_eq!(server.finish().code(), Some(0));
}
