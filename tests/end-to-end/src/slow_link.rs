//! A stream over a slow link is slow, but it is neither restarted nor given up; a link that dies is noticed all the same.

use std::time::Duration;

use actr_lite::ActrError;
use harness::{Deployment, FaultProxy, Finished, Summary, WAIT_TIMEOUT, peer};
use tokio::runtime::Runtime;

/// What a slow link carries in a second, each way.
const SLOW: u64 = 60_000;

/// The slowest link over which streams are promised to arrive.
const SLOWEST: u64 = 5_000;

/// Enough to keep the slowest link busy for longer than the 12 s after which a silent peer is given up: each takes more than
/// 60 bytes.
const FRAMES: u64 = 1100;

/// That it was not fast: otherwise it would show nothing.
const AT_LEAST: Duration = Duration::from_secs(12);

/// How long a busy machine may take for the longest of these streams, which is a minute and a half on an idle one.
const AT_MOST: Duration = Duration::from_secs(300);

const MIB: usize = 1 << 20;

/// The longest payload by default: a record of 4 MiB without room for its head.
const LONGEST: usize = 4 * MIB - 1024;

/// What both ends promise.
const FOUND_WITHIN: Duration = Duration::from_secs(15);

/// What a busy machine may add.
const SLACK: Duration = Duration::from_secs(10);

#[test]
fn a_stream_over_a_slow_link_is_asked_for_once_and_arrives() {
    let deployment = Deployment::new();
    let (_registry, url) = deployment.start_registry();
    let proxy = FaultProxy::slow(SLOWEST);
    let server = deployment.server_at(&url);
    let server = server.advertised(proxy.url()).spawn();
    server.ready();
    proxy.relay_to(&server);
    let client = deployment
        .client(&url, FRAMES)
        .args(["--json", "-q", "--timeout", "30s"]);
    let summary = Summary::of_success(&client.run(), FRAMES);
    assert_eq!((summary.resumes, summary.duplicates), (0, 0), "{summary:?}");
    let asked = server.lines_with(&format!("sending {FRAMES} frames stream="));
    assert_eq!(asked.len(), 1, "its answer does not wait for the stream: {asked:?}");
    assert_was_slow(&summary);
}

fn assert_was_slow(summary: &Summary) {
    let duration = Duration::from_millis(summary.duration_ms.as_f64().unwrap_or_default() as u64);
    assert!(duration >= AT_LEAST, "{duration:?}");
}

/// What a client has that asked for `count` frames of `len` bytes, over this link.
fn client_of_long_frames(link: &FaultProxy, count: u64, len: usize, timeout: &str) -> Finished {
    let deployment = Deployment::new();
    let (_registry, url) = deployment.start_registry();
    // The link has a runtime of its own, so that this is no asynchronous test.
    let runtime = Runtime::new().unwrap();
    let server = peer::server_behind(&deployment, &url, link, move |request, ctx| async move {
        let mut stream = ctx.open_stream_to_caller(request.stream_id.parse()?).await?;
        ctx.spawn(async move {
            for _ in 0..count {
                stream.send(vec![b'.'; len]).await?;
            }
            stream.finish().await
        });
        Ok::<_, ActrError>(peer::registered())
    });
    let _server = runtime.block_on(server);
    let client = deployment.client(&url, count);
    let client = client.args(["--json", "-q", "--timeout", timeout]).spawn();
    client.finish_within(AT_MOST)
}

fn assert_arrives_at_once(count: u64, len: usize, timeout: &str) {
    let client = client_of_long_frames(&FaultProxy::slow(SLOW), count, len, timeout);
    let summary = Summary::of_success(&client, count);
    assert_eq!((summary.resumes, summary.duplicates), (0, 0), "{summary:?}");
    assert_eq!(summary.bytes, count * len as u64);
    assert_was_slow(&summary);
}

#[test]
#[ignore = "takes a minute and a half: cargo test -p end-to-end -- --ignored slow_link"]
fn long_frames_arrive_over_a_slow_link_without_a_restart() {
    // Less than two of them take.
    assert_arrives_at_once(5, MIB, "30s");
}

#[test]
#[ignore = "takes more than a minute: cargo test -p end-to-end -- --ignored slow_link"]
fn a_frame_of_the_longest_record_arrives_over_a_slow_link() {
    assert_arrives_at_once(1, LONGEST, "3m");
}

#[test]
#[ignore = "takes a quarter of a minute: cargo test -p end-to-end -- --ignored slow_link"]
fn a_slow_link_that_dies_within_a_frame_is_noticed() {
    let link = FaultProxy::slow(SLOW);
    link.freeze_after(2 * SLOW);
    let client = client_of_long_frames(&link, 5, MIB, "1s");
    let found = link.wait_until_frozen(WAIT_TIMEOUT).elapsed();
    assert!(found <= FOUND_WITHIN + SLACK, "{found:?}");
    client.assert_fails_with(&["not complete"]);
}
