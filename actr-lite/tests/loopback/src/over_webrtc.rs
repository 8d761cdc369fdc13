//! Sessions over WebRTC, for which no part of this machine's network but loopback is needed. Neither node can be dialled.

use std::{fs, time::Duration};

use actr_lite::{ActrRef, Budget, ResumeOptions};

use crate::harness::{
    deadline::{until, within},
    messages::{Ask, Push},
    node_plan::NodePlan,
    pair::Pair,
    stream::stream_id,
};

const FRAMES: u64 = 10_000;

/// Takes DTLS and SCTP longer than a second.
const FRAME: usize = 63 << 20;

/// Enough that something left behind by each is seen, and few enough for everybody's test run.
const CONNECTS: usize = 30;

const PEERS: usize = 200;

/// What an idle peer may take.
const MAX_PER_PEER: usize = 300 << 10;

fn over_webrtc(plan: NodePlan) -> NodePlan {
    plan.hidden().set("system.webrtc.mode=prefer")
}

async fn pair() -> Pair {
    Pair::start(over_webrtc, over_webrtc).await
}

/// A client of its own, with a session with the server.
async fn connect(pair: &Pair) -> ActrRef {
    let client = over_webrtc(pair.world.node("Other")).start().await;
    call(pair, &client).await;
    client
}

async fn call(pair: &Pair, client: &ActrRef) {
    let ask = Ask {
        text: "over WebRTC".into(),
        ..Ask::default()
    };
    let answer = within(client.context().call(&pair.dest(), ask)).await.unwrap();
    assert_eq!(answer.text, "over WebRTC");
}

fn descriptors() -> usize {
    fs::read_dir("/proc/self/fd").unwrap().count()
}

/// Memory of this process, in bytes.
fn resident() -> usize {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.unwrap().trim().trim_end_matches(" kB").parse::<usize>().unwrap() << 10
}

async fn connect_and_part(count: usize) {
    let pair = pair().await;
    pair.round_trip().await;
    within(connect(&pair).await.shutdown()).await;
    let before = descriptors();
    for _ in 0..count {
        within(connect(&pair).await.shutdown()).await;
    }
    // What ends last is a connection to the registry.
    until(|| async { (descriptors() <= before).then_some(()) }).await;
    pair.round_trip().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_frames_of_a_stream_come_in_order() {
    let mut pair = pair().await;
    let (mut sender, mut subscription) = pair.stream(&stream_id("frames")).await;
    let sending = tokio::spawn(async move {
        for number in 1..=FRAMES {
            sender.send(number.to_string()).await.unwrap();
        }
        sender
    });
    for number in 1..=FRAMES {
        let frame = within(subscription.next()).await.unwrap();
        assert_eq!((frame.sequence, frame.text()), (number, number.to_string().into()));
    }
    sending.await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_error_says_how_much_came_of_a_frame_over_webrtc() {
    let long = |plan| over_webrtc(plan).set(&format!("system.websocket.max_record_bytes={}", 64 << 20));
    let mut pair = Pair::start(long, long).await;
    let id = stream_id("long");
    let stream = pair.register(&id, |_| {}).expect_frames(1);
    let mut sender = pair.open(&id).await;
    let sending = tokio::spawn(async move { sender.send(vec![7; FRAME]).await });
    let options = ResumeOptions::new(Budget::new(Duration::from_secs(1)));
    let stream = stream.resume_with(pair.server.actor_id().actr_type(), Push::default(), options);
    let error = within(stream.ended()).await.unwrap_err().to_string();
    assert!(error.contains(" bytes of one: allow more time"), "{error}");
    sending.abort();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connects_leave_no_file_descriptor() {
    connect_and_part(CONNECTS).await;
}

#[ignore = "it takes three minutes"]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_connects_leave_no_file_descriptor() {
    connect_and_part(1000).await;
}

/// With `--release`: otherwise code and stacks are larger.
#[ignore = "it shows a figure"]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[allow(clippy::print_stderr, reason = "it is what the test is for")]
async fn an_idle_peer_takes_little_memory() {
    let pair = pair().await;
    pair.round_trip().await;
    let mut clients = Vec::new();
    for _ in 0..PEERS {
        clients.push(over_webrtc(pair.world.node("Other")).start().await);
    }
    let (sockets, before) = (descriptors(), resident());
    for client in &clients {
        call(&pair, client).await;
    }
    let each = (resident() - before) / PEERS;
    // Both ends of each session are here.
    eprintln!("a session takes {} KiB at both ends together", each >> 10);
    eprintln!("{} descriptors more", descriptors() - sockets);
    assert!(each < 2 * MAX_PER_PEER, "{each} bytes");
    for client in clients {
        within(client.shutdown()).await;
    }
}
