//! A stream over a slow link is slow, but it is neither restarted nor given up.

use std::time::Duration;

use harness::{Deployment, FaultProxy, Summary};

/// What the link carries in a second, each way.
const RATE: u64 = 5_000;

/// Enough to keep the link busy for longer than the 12 s after which a silent peer is given up: each takes more than 60
/// bytes.
const FRAMES: u64 = 1100;

/// That it was not fast: otherwise it would show nothing.
const AT_LEAST: Duration = Duration::from_secs(12);

#[test]
fn a_stream_over_a_slow_link_is_asked_for_once_and_arrives() {
    let deployment = Deployment::new();
    let (_registry, url) = deployment.start_registry();
    let proxy = FaultProxy::slow(RATE);
    let server = deployment.server_at(&url);
    let server = server.advertised(proxy.url()).spawn();
    server.ready();
    proxy.relay_to(&server);
    let client = deployment
        .client(&url, FRAMES)
        .args(["--json", "-q", "--timeout", "30s"]);
    let summary = Summary::of_success(&client.run(), FRAMES);
    assert_eq!((summary.resumes, summary.duplicates), (0, 0), "{summary:?}");
    let asked = server.lines_with(&format!("sending {FRAMES} frames to "));
    assert_eq!(asked.len(), 1, "its answer does not wait for the stream: {asked:?}");
    let duration = Duration::from_millis(summary.duration_ms.as_f64().unwrap_or_default() as u64);
    assert!(duration >= AT_LEAST, "{duration:?}");
}
