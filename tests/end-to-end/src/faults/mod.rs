//! Faults in the middle of streams: nothing is lost, nothing comes twice. What each costs in time is measured, and
//! reported to the file that `FAULT_REPORT` names.

#[cfg(target_os = "linux")]
mod clock_jump;
mod cut_connection;
mod draining;
mod fleet;
mod half_open;
mod killed_server;
mod many_clients;
mod registry_gone;
mod restarted_server;
mod stopped_client;

use std::time::{Duration, Instant};

use harness::{Deployment, Finished, Launch, Process, WAIT_TIMEOUT, received};

/// How long a client may be without a live stream, where that is not what is tested.
const TIMEOUT: &str = "40s";

/// How long a run may take that is asked for with `--ignored`.
const LONG_WAIT_TIMEOUT: Duration = Duration::from_secs(1800);

/// A client that logs each frame, and prints its summary as JSON.
fn client(deployment: &Deployment, url: &str, count: u64) -> Launch {
    deployment
        .client(url, count)
        .args(["--json", "-v", "--timeout", TIMEOUT])
}

/// Waits until a client was given this frame.
#[track_caller]
fn wait_for_frame(client: &Process, number: u64) {
    client.wait_for_line(&format!("Stream message {number} for"), WAIT_TIMEOUT);
}

/// Waits until a client whose server was lost is given the next frame: how long that was after the fault.
#[track_caller]
fn wait_for_recovery(client: &Process, fault: Instant) -> Duration {
    wait_for_resume(client, 1, fault)
}

/// The same, for the break with this number.
#[track_caller]
fn wait_for_resume(client: &Process, number: usize, fault: Instant) -> Duration {
    received::wait_for_recovery(client, number, WAIT_TIMEOUT) - fault
}

/// That a client got all, and as its user sees it, nothing happened.
#[track_caller]
fn assert_success(client: &Finished) {
    assert_eq!(client.code(), Some(0), "{}", client.stderr);
}
