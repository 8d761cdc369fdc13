//! A connection over which nothing comes any more, though it is open: both ends find out, and the stream goes on.

use std::time::{Duration, Instant};

use tests::{Deployment, FaultProxy, FaultReport, Newcomers, PATIENCE, Process};

use super::{assert_success, client, wait_for_frame, wait_for_recovery};

/// What both ends promise.
const FOUND_WITHIN: Duration = Duration::from_secs(15);

/// What a busy machine may add, and finding another server.
const SLACK: Duration = Duration::from_secs(10);

/// A stream of three seconds beyond the fault.
const FRAMES: u64 = 300;
const PACE: [&str; 2] = ["--interval", "10ms"];

/// A server behind a proxy, and a client with a stream of it.
fn client_behind_proxy(deployment: &Deployment, url: &str) -> (FaultProxy, Process, Process) {
    let proxy = FaultProxy::new();
    let server = deployment.server_at(url).args(PACE);
    let server = server.config("system.websocket.advertised", proxy.url()).spawn();
    server.ready();
    proxy.relay_to(&server);
    let client = client(deployment, url, FRAMES).spawn();
    wait_for_frame(&client, 3);
    (proxy, server, client)
}

/// Waits for the end of all; the server that lost the client knows it, too.
fn recover(fault: Instant, client: &Process, server: &Process) -> FaultReport {
    let mut report = FaultReport::new("packets vanish, the connection stays open");
    let recovery = wait_for_recovery(client, fault);
    server.wait_for_line("ended after ", PATIENCE);
    let found = fault.elapsed();
    assert!(recovery.max(found) <= FOUND_WITHIN + SLACK, "{recovery:?}, {found:?}");
    report.recovered_after(recovery);
    let client = client.finish();
    let summary = report.count(&client, FRAMES);
    assert_success(&client);
    assert_eq!(summary.resumes, 1, "{summary:?}");
    report
}

#[test]
fn a_client_whose_server_is_cut_off_in_silence_goes_on_at_another() {
    let deployment = Deployment::new();
    let (_registry, url) = deployment.start_registry();
    let (proxy, server, client) = client_behind_proxy(&deployment, &url);
    let other = deployment.server_at(&url).args(PACE).named("other server").spawn();
    other.ready();
    let fault = Instant::now();
    // The registry hears of the server still, and names it.
    proxy.newcomers(Newcomers::Swallow);
    proxy.freeze();
    recover(fault, &client, &server).finish();
}

#[test]
fn a_client_whose_connection_falls_silent_goes_on_over_a_new_one() {
    let deployment = Deployment::new();
    let (_registry, url) = deployment.start_registry();
    let (proxy, server, client) = client_behind_proxy(&deployment, &url);
    let fault = Instant::now();
    proxy.freeze();
    recover(fault, &client, &server).finish();
}
