//! Frames of any length and delivery come from official nodes, and reach them.

use harness::Launch;

use crate::webrtc_streams::Scene;

/// Three fragments each: none is longer than 65,527 bytes.
const PADDING: &str = "180000";
const LONG_FRAMES: &str = "20";

/// How many must come of a stream that may lose some.
const SOME: &str = "1000";

const FRAMES: &str = "10000";

fn all_come(client: Launch, count: &str, padding: usize) {
    let client = client.run();
    assert_eq!(client.code(), Some(0), "{}", client.stderr);
    let said = client.stdout.lines().last().unwrap_or_default();
    assert!(
        said.starts_with(&format!("{count} of {count} frames in order")),
        "{said}"
    );
    let bytes = said.rsplit(": ").next().and_then(|bytes| bytes.strip_suffix(" bytes"));
    let bytes: usize = bytes.unwrap_or_else(|| panic!("{said}")).parse().unwrap();
    let count: usize = count.parse().unwrap();
    // What each has besides is short.
    assert!((count * padding..count * (padding + 100)).contains(&bytes), "{said}");
}

fn some_come(client: Launch) {
    let client = client.run();
    assert_eq!(client.code(), Some(0), "{}", client.stderr);
    let received = format!("received {SOME} frames of an endless stream");
    assert!(client.stdout.contains(&received), "{}", client.stdout);
}

#[test]
fn an_official_client_puts_our_fragments_together() {
    let scene = Scene::new();
    let _server = scene.own_server_of(&[PADDING]);
    let client = scene.official_client_that(&["receive", LONG_FRAMES]);
    all_come(client, LONG_FRAMES, PADDING.parse().unwrap());
}

#[test]
fn our_client_puts_official_fragments_together() {
    let scene = Scene::new();
    let _server = scene.official_server_of(&["--padding", PADDING]);
    let client = scene.own_client_that(&["receive", LONG_FRAMES]);
    all_come(client, LONG_FRAMES, PADDING.parse().unwrap());
}

#[test]
fn our_latency_first_frames_reach_an_official_client() {
    let scene = Scene::new();
    let _server = scene.own_server_of(&["0", "latency-first"]);
    some_come(scene.official_client_that(&["receive-some", SOME]));
}

#[test]
fn official_latency_first_frames_reach_our_client() {
    let scene = Scene::new();
    let _server = scene.official_server_of(&["--latency-first"]);
    some_come(scene.own_client_that(&["receive-some", SOME]));
}

#[test]
pub(crate) fn an_official_server_streams_with_the_published_registry() {
    let scene = Scene::with_official_registry();
    let _server = scene.official_server_of(&[]);
    all_come(scene.own_client_that(&["receive", FRAMES]), FRAMES, 0);
}
