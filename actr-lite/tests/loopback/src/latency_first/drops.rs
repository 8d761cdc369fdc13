//! The oldest frames go, the newest come in order, and both ends count what is missing.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use actr_lite::{DataStream, SendError, StreamEnd};
use actr_lite_wire::{
    credit::INITIAL_WINDOW,
    latency_queue::{MAX_QUEUED_BYTES, MAX_QUEUED_FRAMES},
};
use tokio::sync::Semaphore;

use crate::{
    harness::{
        deadline::{until, within},
        pair::Pair,
        stream::stream_id,
    },
    latency_first::{MANY, PAYLOAD, assert_rising, open, send, stream},
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_congestion_nothing_is_dropped_and_the_order_is_kept() {
    const FRAMES: u64 = 2000;
    let mut pair = Pair::new().await;
    let id = stream_id("swift");
    let (mut sender, mut subscription) = stream(&mut pair, &id).await;
    for number in 1..=FRAMES {
        // Bursts that fit the connection's batch, and then a pause until they have come.
        within(sender.send(number.to_be_bytes())).await.unwrap();
        if number % 50 == 0 {
            for expected in number - 49..=number {
                let frame = within(subscription.next()).await.unwrap();
                assert_eq!(
                    (frame.sequence, &frame.payload[..]),
                    (expected, &expected.to_be_bytes()[..])
                );
            }
        }
    }
    assert_eq!(sender.dropped(), 0);
    sender.finish().await.unwrap();
    assert_eq!(within(subscription.next()).await, None);
    assert_eq!(subscription.end(), Some(StreamEnd::Finished { frames: FRAMES }));
    assert_eq!(subscription.dropped(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stalled_receiver_gets_the_newest_frames() {
    let mut pair = Pair::new().await;
    let id = stream_id("stalled");
    let (mut sender, mut subscription) = stream(&mut pair, &id).await;
    for _ in 0..20 {
        send(&mut sender, MANY / 20, &PAYLOAD).await;
        // The connection is not what is full.
        pair.round_trip().await;
    }
    let mut numbers = Vec::new();
    while numbers.last() != Some(&MANY) {
        numbers.push(within(subscription.next()).await.unwrap().sequence);
    }
    assert_rising(&numbers);
    let newest = numbers.len() - MAX_QUEUED_FRAMES;
    assert_eq!(numbers[newest], MANY - MAX_QUEUED_FRAMES as u64 + 1);
    assert!(newest as u64 * PAYLOAD.len() as u64 <= INITIAL_WINDOW + PAYLOAD.len() as u64);
    // All has come or was dropped: both ends say the same.
    let missing = MANY - numbers.len() as u64;
    assert_eq!((sender.dropped(), subscription.dropped()), (missing, missing));

    // With credit it goes on without loss.
    sender.send("on").await.unwrap();
    let next = within(subscription.next()).await.unwrap();
    assert_eq!((next.sequence, &next.payload[..]), (MANY + 1, &b"on"[..]));
    assert_eq!(sender.dropped(), missing);
    sender.finish().await.unwrap();
    assert_eq!(within(subscription.next()).await, None);
    assert_eq!(subscription.end(), Some(StreamEnd::Finished { frames: MANY + 1 }));
    assert_eq!(subscription.dropped(), missing);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn frames_stay_in_order_while_credit_comes_and_goes() {
    let mut pair = Pair::new().await;
    let id = stream_id("uneven");
    let (mut sender, mut subscription) = stream(&mut pair, &id).await;
    let sending = tokio::spawn(async move {
        send(&mut sender, MANY, &PAYLOAD).await;
        sender
    });
    let mut numbers = Vec::new();
    while numbers.last() != Some(&MANY) {
        let frame = within(subscription.next()).await.unwrap();
        assert_eq!(frame.payload, &PAYLOAD[..]);
        numbers.push(frame.sequence);
    }
    assert_rising(&numbers);
    let sender = within(sending).await.unwrap();
    let missing = MANY - numbers.len() as u64;
    assert_eq!((sender.dropped(), subscription.dropped()), (missing, missing));
}

#[tokio::test]
async fn frames_that_are_dropped_at_the_end_are_counted_too() {
    let mut pair = Pair::new().await;
    for finishes in [true, false] {
        let id = stream_id(if finishes { "finished" } else { "brokenoff" });
        let (mut sender, mut subscription) = stream(&mut pair, &id).await;
        send(&mut sender, MANY, &PAYLOAD).await;
        let dropped = sender.dropped();
        match finishes {
            true => within(sender.finish()).await.unwrap(),
            false => drop(sender),
        }
        let mut numbers = Vec::new();
        while let Some(frame) = within(subscription.next()).await {
            numbers.push(frame.sequence);
        }
        assert_rising(&numbers);
        match subscription.end().unwrap() {
            StreamEnd::Finished { frames } if finishes => assert_eq!(frames, MANY),
            StreamEnd::Failed { frames, .. } if !finishes => assert_eq!(frames, MANY),
            end => panic!("{end:?}"),
        }
        assert_eq!(subscription.dropped(), MANY - numbers.len() as u64);
        assert!(subscription.dropped() >= dropped + MAX_QUEUED_FRAMES as u64);
    }
}

#[tokio::test]
async fn a_slow_callback_knows_how_many_frames_it_missed() {
    let mut pair = Pair::new().await;
    let id = stream_id("callback");
    let gate = Arc::new(Semaphore::new(0));
    let taken = Arc::new(AtomicU64::new(0));
    let (permits, count) = (Arc::clone(&gate), Arc::clone(&taken));
    let callback = move |_: DataStream| {
        let permits = Arc::clone(&permits);
        count.fetch_add(1, Ordering::Relaxed);
        async move { drop(permits.acquire().await.unwrap()) }
    };
    let mut registration = pair.register_async(&id, callback);
    let mut sender = open(&mut pair, &id).await;
    send(&mut sender, MANY, &PAYLOAD).await;
    drop(sender);
    gate.add_permits(1);
    let end = within(registration.ended()).await;
    assert!(matches!(end, StreamEnd::Failed { frames: MANY, .. }), "{end:?}");
    let taken = taken.load(Ordering::Relaxed);
    assert!(registration.dropped() > 0);
    assert_eq!(registration.dropped(), MANY - taken);
}

#[tokio::test]
async fn frames_of_some_length_are_bounded_by_their_bytes() {
    const LEN: usize = 100_000;
    const FRAMES: u64 = 50;
    let mut pair = Pair::new().await;
    let id = stream_id("long");
    let (mut sender, mut subscription) = stream(&mut pair, &id).await;
    send(&mut sender, FRAMES, &vec![1; LEN]).await;
    let mut numbers = Vec::new();
    while numbers.last() != Some(&FRAMES) {
        numbers.push(within(subscription.next()).await.unwrap().sequence);
    }
    assert_rising(&numbers);
    // A window and one record, and what the queue holds.
    let most = INITIAL_WINDOW as usize / LEN + 1 + MAX_QUEUED_BYTES / LEN;
    assert!(numbers.len() <= most, "{numbers:?}");
    assert_eq!(sender.dropped(), FRAMES - numbers.len() as u64);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reliable_stream_beside_one_that_drops_loses_nothing() {
    const FRAMES: u64 = 3000;
    let mut pair = Pair::new().await;
    let (dropping, reliable) = (stream_id("dropping"), stream_id("reliable"));
    let stalled = pair.subscribe(&dropping);
    let mut subscription = pair.subscribe(&reliable);
    let mut late = open(&mut pair, &dropping).await;
    let mut sender = pair.open(&reliable).await;
    let sending = tokio::spawn(async move {
        for _ in 0..FRAMES {
            late.send(PAYLOAD).await.unwrap();
            sender.send(PAYLOAD).await.unwrap();
        }
        assert_eq!(sender.dropped(), 0);
        sender.finish().await.unwrap();
        late
    });
    for number in 1..=FRAMES {
        assert_eq!(within(subscription.next()).await.unwrap().sequence, number);
    }
    assert_eq!(within(subscription.next()).await, None);
    assert_eq!(subscription.dropped(), 0);
    let late = within(sending).await.unwrap();
    assert!(late.dropped() > 0);
    drop(late);
    until(|| async { stalled.end() }).await;
}

#[tokio::test]
async fn a_frame_over_the_record_limit_is_refused_and_has_no_number() {
    let mut pair = Pair::new().await;
    let id = stream_id("toolong");
    let (mut sender, mut subscription) = stream(&mut pair, &id).await;
    let error = within(sender.send(vec![0; 5 << 20])).await.unwrap_err();
    assert!(matches!(error, SendError::TooLong { .. }), "{error:?}");
    sender.send("fits").await.unwrap();
    sender.finish().await.unwrap();
    assert_eq!(within(subscription.next()).await.unwrap().sequence, 1);
    assert_eq!(within(subscription.next()).await, None);
    assert_eq!(subscription.end(), Some(StreamEnd::Finished { frames: 1 }));
}
