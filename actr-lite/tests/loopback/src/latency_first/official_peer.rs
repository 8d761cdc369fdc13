//! Peers that know no credit make nobody wait either.

use actr_lite_wire::{frame as wire_frame, record::RecordKind};

use crate::{
    harness::{
        deadline::within,
        stream::{caller, stream_id},
    },
    latency_first::{LATENCY_FIRST, MANY, PAYLOAD, assert_rising, send},
    raw_peer::{visit::Visit, wire_bytes::frame},
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_peer_without_credit_makes_no_sender_wait() {
    let mut visit = Visit::of_official_peer().await;
    let ctx = visit.asked().await;
    let mut sender = ctx
        .open_stream_with(&caller(&ctx), stream_id("unread"), LATENCY_FIRST)
        .await
        .unwrap();
    send(&mut sender, MANY, &PAYLOAD).await;
    assert!(sender.dropped() > 0);
    let mut numbers = Vec::new();
    while numbers.last() != Some(&MANY) {
        let (kind, body) = visit.peer.record().await;
        assert_eq!(kind, RecordKind::StreamLatencyFirst);
        numbers.push(wire_frame::decode(&body).unwrap().sequence);
    }
    assert_rising(&numbers);
    assert_eq!(sender.dropped(), MANY - numbers.len() as u64);
}

#[tokio::test]
async fn frames_of_a_peer_without_credit_are_dropped_here() {
    const FRAMES: u64 = 5000;
    let mut visit = Visit::of_official_peer().await;
    let id = stream_id("flood");
    let mut subscription = visit.subscribe(id.as_str());
    for number in 1..=FRAMES {
        visit
            .peer
            .send_record(RecordKind::StreamLatencyFirst, &frame(id.as_str(), number, &PAYLOAD))
            .await;
    }
    // Nobody takes a frame, and still the connection is read.
    visit.peer.round_trip().await;
    let mut numbers = Vec::new();
    while numbers.last() != Some(&FRAMES) {
        numbers.push(within(subscription.next()).await.unwrap().sequence);
    }
    assert_rising(&numbers);
    assert!(
        numbers.len() as u64 * PAYLOAD.len() as u64 <= 2 << 20,
        "{} waited",
        numbers.len()
    );
    assert_eq!(subscription.dropped(), FRAMES - numbers.len() as u64);
    visit
        .peer
        .send_record(RecordKind::StreamLatencyFirst, &frame(id.as_str(), FRAMES + 1, b"on"))
        .await;
    assert_eq!(within(subscription.next()).await.unwrap().payload, "on");
}
