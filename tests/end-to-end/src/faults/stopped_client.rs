//! A client that is stopped for longer than its server waits for it: when it is continued, its stream goes on.

use std::{
    thread,
    time::{Duration, Instant},
};

use harness::{Deployment, FaultReport, Signal, WAIT_TIMEOUT};

use super::{assert_success, client, wait_for_frame, wait_for_recovery};

/// As fast as they are taken, and far more than what a server may send before its client has taken any.
const FRAMES: u64 = 50_000;

fn stop_for(at_least: Duration) -> FaultReport {
    let deployment = Deployment::new();
    let (server, url) = deployment.start_server(&[]);
    let client = client(&deployment, &url, FRAMES).spawn();
    wait_for_frame(&client, 3);
    let stopped = Instant::now();
    client.signal(Signal::STOP);
    // How long it is stopped is the fault, nothing waits for it.
    thread::sleep(at_least);
    // Its server has given it up by then.
    server.wait_for_line("ended after ", WAIT_TIMEOUT);
    assert!(stopped.elapsed() >= at_least);

    let mut report = FaultReport::new("client stopped (SIGSTOP) and continued");
    let continued = Instant::now();
    client.signal(Signal::CONT);
    report.recovered_after(wait_for_recovery(&client, continued));
    let client = client.finish();
    let summary = report.count(&client, FRAMES);
    assert_success(&client);
    assert_eq!(summary.resumes, 1, "{summary:?}");
    report
}

#[test]
fn a_client_stopped_until_it_was_given_up_gets_the_rest() {
    stop_for(Duration::ZERO).finish();
}

#[test]
#[ignore = "takes 20 s: cargo test -p end-to-end -- --ignored stopped_client"]
fn a_client_that_was_stopped_for_20_seconds_gets_the_rest() {
    stop_for(Duration::from_secs(20)).finish();
}
