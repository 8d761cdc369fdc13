//! Streams whose frames are worth nothing when they are late: the sender never waits, the oldest frames go, and both
//! ends know how many.

mod drops;
mod end;
mod official_peer;

use actr_lite::{Delivery, StreamId, StreamOptions, StreamSender, Subscription};

use crate::harness::{deadline::within, pair::Pair, stream::caller};

const LATENCY_FIRST: StreamOptions = StreamOptions {
    delivery: Delivery::LatencyFirst,
    resume_after: 0,
};

const PAYLOAD: [u8; 1000] = [7; 1000];

/// Several windows of frames, and more than what connection and sockets hold.
const MANY: u64 = 20_000;

async fn open(pair: &mut Pair, id: &StreamId) -> StreamSender {
    let ctx = pair.asked().await;
    ctx.open_stream_with(&caller(&ctx), id.clone(), LATENCY_FIRST)
        .await
        .unwrap()
}

/// Both ends of such a stream from the server to the client.
async fn stream(pair: &mut Pair, id: &StreamId) -> (StreamSender, Subscription) {
    let subscription = pair.subscribe(id);
    (open(pair, id).await, subscription)
}

async fn send(sender: &mut StreamSender, frames: u64, payload: &[u8]) {
    for _ in 0..frames {
        within(sender.send(payload)).await.unwrap();
    }
}

/// Checks that the numbers rise.
fn assert_rising(numbers: &[u64]) {
    assert!(numbers.is_sorted_by(|before, after| before < after), "{numbers:?}");
}
