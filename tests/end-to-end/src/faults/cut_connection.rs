//! A connection that is cut at a random byte, again and again: the stream goes on over the next one.

use harness::{Deployment, FaultProxy, FaultReport};
use rand::RngExt as _;

use super::{LONG_WAIT_TIMEOUT, TIMEOUT, assert_success};

/// What a frame takes on the wire, at least: the text alone has nearly as much.
const FRAME_BYTES: u64 = 40;

fn cut(times: u64, frames: u64) -> FaultReport {
    let deployment = Deployment::new();
    let (_registry, url) = deployment.start_registry();
    let proxy = FaultProxy::new();
    let server = deployment.server_at(&url);
    let server = server.advertised(proxy.url()).spawn();
    server.ready();
    proxy.relay_to(&server);

    // All together they are less than the stream, so that all happen; the first ones come before the first frame.
    let longest = frames * FRAME_BYTES / times;
    let offset = |cut| rand::rng().random_range(1..=if cut < 3 { 1000 } else { longest });
    proxy.cut_after((0..times).map(offset));
    let client = deployment.client(&url, frames).args(["--json", "--timeout", TIMEOUT]);
    let client = client.spawn().finish_within(LONG_WAIT_TIMEOUT);

    let mut report = FaultReport::new(&format!("connection cut {times} times at random bytes"));
    let summary = report.count(&client, frames);
    assert_success(&client);
    let (cuts, recoveries) = proxy.cuts_and_recoveries();
    assert_eq!(cuts, times);
    assert_eq!(recoveries.len() as u64, times);
    // A cut before the server has agreed breaks no stream.
    assert!((1..=times).contains(&summary.resumes), "{summary:?}");
    recoveries.into_iter().for_each(|time| report.recovered_after(time));
    report
}

#[test]
fn a_stream_whose_connection_is_cut_ten_times_is_complete() {
    cut(10, 100_000).finish();
}

#[test]
#[ignore = "takes a minute or two: cargo test -p end-to-end -- --ignored cut_connection"]
fn a_million_frames_survive_a_hundred_cuts() {
    cut(100, 1_000_000).finish();
}
