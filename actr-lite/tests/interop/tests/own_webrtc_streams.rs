//! Two nodes of this workspace use over WebRTC what they use over WebSocket: batches, credit, and ends of streams.

use std::time::Duration;

use harness::{Host, Launch, Process, Signal, Summary, WAIT_TIMEOUT, own_program};

use crate::webrtc_streams::Scene;

const FRAMES: u64 = 10_000;

/// How long a million frames may take, with a server that dies on the way.
const LONG_WAIT_TIMEOUT: Duration = Duration::from_secs(120);

/// What a node says of its session with another node of this workspace.
const OWN_SESSION: &str = "extended=true";

/// What a server says of a stream.
const SENDS: &str = "sending ";

fn server(scene: &Scene) -> (Process, String) {
    let server = scene.server().config("system.webrtc.mode", "prefer").spawn();
    let id = server.ready();
    (server, id)
}

fn client(scene: &Scene, count: u64) -> Launch {
    let client = scene.client(count).config("system.webrtc.mode", "prefer");
    // Without a line for each frame.
    client.arg("--json").env("RUST_LOG", "actr_lite=debug")
}

#[test]
fn two_own_nodes_stream_over_webrtc_with_the_extension() {
    let scene = Scene::new();
    let (_server, id) = server(&scene);
    let client = client(&scene, FRAMES).run();
    let summary = Summary::of_success(&client, FRAMES);
    assert_eq!((summary.resumes, summary.servers), (0, vec![id]));
    assert!(client.stderr.contains(OWN_SESSION), "{}", client.stderr);
}

#[test]
fn a_stream_that_nobody_takes_holds_up_no_other() {
    let scene = Scene::new();
    let (_server, _) = server(&scene);
    let client = Launch::new("slow client", &own_program("slow-client"));
    let client = client.args([scene.url(), "1", &FRAMES.to_string()]);
    let client = scene.on(Host::Right, client).run();
    assert_eq!(client.code(), Some(0), "{}", client.stderr);
    let ended = |name| format!("{name}: {FRAMES} frames, then Some(Finished {{ frames: {FRAMES} }})\n");
    assert_eq!(client.stdout, ended("flowing") + &ended("stalled"));
}

#[test]
fn another_server_goes_on_when_one_is_killed() {
    let scene = Scene::new();
    let (first, first_id) = server(&scene);
    let count = 1_000_000;
    let client = client(&scene, count).spawn();
    client.wait_for_line(OWN_SESSION, WAIT_TIMEOUT);
    first.wait_for_line(SENDS, WAIT_TIMEOUT);
    let (_second, second_id) = server(&scene);
    first.signal(Signal::KILL);
    let client = client.finish_within(LONG_WAIT_TIMEOUT);
    let summary = Summary::of_success(&client, count);
    assert_eq!((summary.resumes, summary.servers), (1, vec![first_id, second_id]));
}

#[test]
fn a_server_that_stops_says_so_over_webrtc() {
    let scene = Scene::new();
    let (first, _) = server(&scene);
    let client = client(&scene, u64::from(u32::MAX >> 1)).spawn();
    first.wait_for_line(SENDS, WAIT_TIMEOUT);
    first.signal(Signal::TERM);
    client.wait_for_line(
        "it closed the connection (1001: the node is shutting down)",
        WAIT_TIMEOUT,
    );
}
