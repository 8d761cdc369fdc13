//! Streams over TLS keep what they promise without.

use std::time::Duration;

use actr_lite::{CloseReason, StreamEnd};
use actr_lite_wire::{credit::INITIAL_WINDOW, record::DEFAULT_MAX_RECORD_LEN};
use bytes::Bytes;

use crate::{
    harness::{
        deadline::within,
        messages::Ask,
        pair::Pair,
        stream::{caller, stream_id},
    },
    tls::{take_all, take_all_of_nothing},
};

const PAYLOAD: [u8; 1000] = [7; 1000];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_receivers_sender_waits_alone() {
    let mut pair = Pair::with_tls().await;
    let (stalled, flowing) = (stream_id("stalled"), stream_id("flowing"));
    let untouched = pair.subscribe(&stalled);
    let mut sender = pair.open(&stalled).await;
    let sent = pair.fill(&mut sender, &PAYLOAD).await;
    assert!(sent * PAYLOAD.len() as u64 <= INITIAL_WINDOW + PAYLOAD.len() as u64);

    let frames = 10 * INITIAL_WINDOW / PAYLOAD.len() as u64;
    let subscription = pair.subscribe(&flowing);
    let mut other = pair.open(&flowing).await;
    let sending = tokio::spawn(async move {
        for _ in 0..frames {
            other.send(PAYLOAD).await.unwrap();
        }
        other.finish().await.unwrap();
    });
    assert_eq!(take_all(subscription).await, frames);
    within(sending).await.unwrap();
    pair.round_trip().await;

    let more = 2 * sent;
    let sending = tokio::spawn(async move {
        for _ in 0..more {
            sender.send(PAYLOAD).await.unwrap();
        }
        sender.finish().await.unwrap();
    });
    assert_eq!(take_all(untouched).await, sent + more);
    within(sending).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_longest_records_pass_in_both_directions() {
    // What an envelope or a frame needs beside what it carries.
    const REST: usize = 1 << 10;
    let mut pair = Pair::with_tls().await;
    let data = Bytes::from_iter((0..DEFAULT_MAX_RECORD_LEN - REST).map(|number| (number % 251) as u8));
    let ask = Ask {
        data: data.clone(),
        ..Ask::default()
    };
    let answer = within(pair.client.context().call(&pair.dest(), ask)).await.unwrap();
    assert!(answer.data == data, "it came back changed");

    let id = stream_id("large");
    let (mut sender, mut subscription) = pair.stream(&id).await;
    let sent = data.clone();
    let sending = tokio::spawn(async move {
        for _ in 0..10 {
            sender.send(sent.clone()).await.unwrap();
        }
        sender.finish().await.unwrap();
    });
    for _ in 0..10 {
        let frame = within(subscription.next()).await.unwrap();
        assert!(frame.payload == data, "it came changed");
    }
    assert_eq!(
        take_all_of_nothing(subscription).await,
        StreamEnd::Finished { frames: 10 }
    );
    within(sending).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_small_frames_pass_in_both_directions_at_once() {
    const FRAMES: u64 = 50_000;
    let mut pair = Pair::with_tls().await;
    let (down, up) = (stream_id("down"), stream_id("up"));
    let downwards = pair.subscribe(&down);
    let ctx = pair.asked().await;
    let upwards = pair
        .server
        .context()
        .subscribe(up.clone(), &pair.client.actor_id())
        .unwrap();
    let to_client = ctx.open_stream(&caller(&ctx), down).await.unwrap();
    let to_server = pair.client.context().open_stream(&pair.dest(), up).await.unwrap();
    let sending = [to_client, to_server].map(|mut sender| {
        tokio::spawn(async move {
            for number in 0..FRAMES {
                sender.send(number.to_be_bytes()).await.unwrap();
            }
            sender.finish().await.unwrap();
        })
    });
    let received = [downwards, upwards].map(|subscription| tokio::spawn(take_all(subscription)));
    for task in received {
        assert_eq!(within(task).await.unwrap(), FRAMES);
    }
    for task in sending {
        within(task).await.unwrap();
    }
}

#[tokio::test]
async fn a_node_that_closes_says_why_over_tls_too() {
    let mut pair = Pair::with_tls().await;
    let id = stream_id("closed");
    let (mut sender, mut subscription) = pair.stream(&id).await;
    sender.send("the only one").await.unwrap();
    within(pair.server.shutdown()).await;
    assert_eq!(within(subscription.next()).await.unwrap().payload, "the only one");
    assert_eq!(within(subscription.next()).await, None);
    match subscription.end() {
        Some(StreamEnd::PeerGone {
            reason: CloseReason::Closed { code, .. },
            ..
        }) => assert_eq!(code, 1001),
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_that_pauses_is_there_afterwards() {
    let pair = Pair::with_tls().await;
    pair.round_trip().await;
    // Long enough for a ping: both sides have given their buffers back by then.
    tokio::time::sleep(actr_lite_wire::keepalive::PING_AFTER + Duration::from_millis(500)).await;
    pair.round_trip().await;
}
