//! However much lies behind a receiver that takes nothing: its server makes no more of it than a window, and what it
//! has not made yet costs nothing. Nothing is lost by the wait.

use actr_lite::{ActrId, ActrRef, StreamEnd, Subscription};
use harness::{
    Deployment, Signal, WAIT_TIMEOUT,
    peer::{self, server_type},
};
use protos::stream_server::RegisterStreamRequest;
use tokio::time::timeout;

/// A stream of more than a hundred megabytes.
const FRAMES: u64 = 2_000_000;

/// What the payload of a frame may have: a short text with a number.
const MIN_FRAME_BYTES: u64 = 36;
const MAX_FRAME_BYTES: u64 = 48;

/// What a sender may send of a stream before its receiver has taken any of it.
const WINDOW: u64 = 256 << 10;

/// What a frame has beyond its payload: lengths, the stream's id, a number.
const MAX_FRAME_OVERHEAD: u64 = 64;

/// What a server with a stalled stream and another one may need: unoptimised, on two processors, it needed 13 MB, and
/// more threads need a little more. A server that kept the stalled stream's frames would need more than a hundred.
const MAX_SERVER_MEMORY: u64 = 40 << 20;

/// Subscribes, and asks the server for a stream of this length.
async fn subscribe(caller: &ActrRef, server: &ActrId, stream_id: &str) -> Subscription {
    let ctx = caller.context();
    let subscription = ctx.subscribe(stream_id.parse().unwrap(), server).unwrap();
    let request = RegisterStreamRequest {
        stream_id: stream_id.into(),
        message_count: FRAMES as i32,
    };
    assert!(ctx.call(server, request).await.unwrap().success);
    subscription
}

/// Takes what is left of a stream, which is to be in order; how many frames that were.
async fn take_all(subscription: &mut Subscription) -> u64 {
    let mut taken = 0;
    while let Some(frame) = timeout(WAIT_TIMEOUT, subscription.next()).await.unwrap() {
        taken += 1;
        assert_eq!(frame.sequence, taken);
        assert!((MIN_FRAME_BYTES..=MAX_FRAME_BYTES).contains(&(frame.payload.len() as u64)));
    }
    taken
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stalled_receiver_costs_no_memory_and_gets_all_later() {
    let deployment = Deployment::new();
    let (server, url) = deployment.start_server(&[]);
    let caller = peer::caller(&deployment, &url).await;
    let dest = caller.context().discover(&server_type()).await.unwrap();
    let mut stalled = subscribe(&caller, &dest, "stalled1").await;

    // Meanwhile as much passes on the same connection.
    let mut flowing = subscribe(&caller, &dest, "flowing1").await;
    assert_eq!(take_all(&mut flowing).await, FRAMES);
    assert_eq!(flowing.end(), Some(StreamEnd::Finished { frames: FRAMES }));
    assert_eq!(stalled.end(), None);
    let memory = server.peak_memory();
    assert!(memory < MAX_SERVER_MEMORY, "{memory} bytes with a stalled stream");

    assert_eq!(take_all(&mut stalled).await, FRAMES);
    assert_eq!(stalled.end(), Some(StreamEnd::Finished { frames: FRAMES }));
    let memory = server.peak_memory();
    assert!(memory < MAX_SERVER_MEMORY, "{memory} bytes after all");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_that_takes_nothing_holds_a_window_and_a_record() {
    let deployment = Deployment::new();
    let (server, url) = deployment.start_server(&[]);
    let caller = peer::caller(&deployment, &url).await;
    let dest = caller.context().discover(&server_type()).await.unwrap();
    let mut stalled = subscribe(&caller, &dest, "stalled2").await;
    let mut flowing = subscribe(&caller, &dest, "flowing2").await;
    assert_eq!(take_all(&mut flowing).await, FRAMES);

    // Without its server, the stream is what has come of it.
    server.signal(Signal::KILL);
    let held = take_all(&mut stalled).await;
    assert!(
        matches!(stalled.end(), Some(StreamEnd::PeerGone { .. })),
        "{:?}",
        stalled.end()
    );
    assert!(held * (MAX_FRAME_BYTES + MAX_FRAME_OVERHEAD) >= WINDOW, "{held} frames");
    assert!(held * MIN_FRAME_BYTES <= WINDOW + MIN_FRAME_BYTES, "{held} frames");
}
