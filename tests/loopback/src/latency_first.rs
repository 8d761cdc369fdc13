//! Streams whose frames are worth nothing when they are late: the sender never waits, the oldest frames go, and both
//! ends know how many.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use actr_lite::{
    CloseReason, DataStream, Delivery, Rpc as _, SendError, StreamEnd, StreamId, StreamOptions, StreamSender,
};
use actr_lite_wire::{
    credit::INITIAL_WINDOW,
    frame as wire_frame,
    latency_queue::{MAX_QUEUED_BYTES, MAX_QUEUED_FRAMES},
    record::RecordKind,
};
use tokio::sync::Semaphore;

use crate::{
    harness::{
        deadline::{until, within},
        messages::Push,
        pair::Pair,
        server::start_server,
        stream::{assert_cancelled, caller, stream_id, subscribe_from},
        world::World,
    },
    raw_peer::{Outsider, frame},
};

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

async fn send(sender: &mut StreamSender, frames: u64, payload: &[u8]) {
    for _ in 0..frames {
        within(sender.send(payload)).await.unwrap();
    }
}

/// Checks that the numbers rise.
fn assert_rising(numbers: &[u64]) {
    assert!(numbers.is_sorted_by(|before, after| before < after), "{numbers:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_congestion_nothing_is_dropped_and_the_order_is_kept() {
    const FRAMES: u64 = 2000;
    let mut pair = Pair::new().await;
    let id = stream_id("swift");
    let mut subscription = pair.subscribe(&id);
    let mut sender = open(&mut pair, &id).await;
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
    let mut subscription = pair.subscribe(&id);
    let mut sender = open(&mut pair, &id).await;
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
    let mut subscription = pair.subscribe(&id);
    let mut sender = open(&mut pair, &id).await;
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
async fn a_node_stops_despite_senders_with_queued_frames() {
    let mut pair = Pair::new().await;
    let mut kept = Vec::new();
    for id in ["dropped", "kept"] {
        let id = stream_id(id);
        let subscription = pair.subscribe(&id);
        let mut sender = open(&mut pair, &id).await;
        send(&mut sender, 2000, &PAYLOAD).await;
        assert!(sender.dropped() > 0);
        kept.push((subscription, Some(sender)));
    }
    kept[0].1 = None;
    within(pair.server.shutdown()).await;
    let error = within(kept[1].1.as_ref().unwrap().closed()).await;
    assert!(matches!(error, SendError::PeerGone { .. }), "{error:?}");
}

#[tokio::test]
async fn frames_that_are_dropped_at_the_end_are_counted_too() {
    let mut pair = Pair::new().await;
    for finishes in [true, false] {
        let id = stream_id(if finishes { "finished" } else { "brokenoff" });
        let mut subscription = pair.subscribe(&id);
        let mut sender = open(&mut pair, &id).await;
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
    let mut subscription = pair.subscribe(&id);
    let mut sender = open(&mut pair, &id).await;
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
async fn a_cancel_drops_what_is_queued() {
    let mut pair = Pair::new().await;
    let id = stream_id("again");
    for _ in 0..5 {
        let subscription = pair.subscribe(&id);
        let mut sender = open(&mut pair, &id).await;
        send(&mut sender, MANY / 20, b"old and in the way".repeat(60).as_slice()).await;
        assert!(sender.dropped() > 0);
        drop(subscription);
        let error = within(sender.closed()).await;
        assert_cancelled(&error, &id);
        assert_cancelled(&sender.send("late").await.unwrap_err(), &id);
        let dropped = sender.dropped();
        assert_cancelled(&sender.finish().await.unwrap_err(), &id);
        assert!(dropped > 0);

        let mut subscription = pair.subscribe(&id);
        let mut sender = open(&mut pair, &id).await;
        sender.send("new").await.unwrap();
        sender.finish().await.unwrap();
        let frame = within(subscription.next()).await.unwrap();
        assert_eq!((frame.sequence, &frame.payload[..]), (1, &b"new"[..]));
        assert_eq!(within(subscription.next()).await, None);
        assert_eq!(subscription.dropped(), 0);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sender_with_queued_frames_learns_of_a_lost_receiver() {
    let world = World::new().await;
    let (server, mut contexts) = start_server(&world, "Server").await;
    let client = world.node("Client").hidden().start_mortal().await;
    let id = stream_id("orphan");
    let (actor, server_id) = (client.node.clone(), server.actor_id());
    let subscribed = id.clone();
    let subscription = client.spawn(async move {
        let subscription = actor.context().subscribe(subscribed, &server_id).unwrap();
        actor.context().call(&server_id, Push::default()).await.unwrap();
        subscription
    });
    let subscription = within(subscription).await.unwrap();
    let ctx = within(contexts.recv()).await.unwrap();
    let mut sender = ctx.open_stream_with(&caller(&ctx), id, LATENCY_FIRST).await.unwrap();
    send(&mut sender, 2000, &PAYLOAD).await;
    client.kill();
    let error = within(sender.closed()).await;
    assert!(
        matches!(
            &error,
            SendError::PeerGone {
                reason: CloseReason::Lost(_) | CloseReason::Closed { .. },
                ..
            }
        ),
        "{error:?}"
    );
    assert_eq!(within(sender.send("x")).await, Err(error.clone()));
    assert_eq!(within(sender.finish()).await, Err(error));
    drop(subscription);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_peer_without_credit_makes_no_sender_wait() {
    let world = World::new().await;
    let (server, mut contexts) = start_server(&world, "Server").await;
    let outsider = Outsider::new(&world, "Official").await;
    let mut peer = outsider.dial(&server).await;
    let request = peer.ask(Push::ROUTE, Vec::new()).await;
    peer.answer(&request).await;
    let ctx = contexts.recv().await.unwrap();
    let mut sender = ctx
        .open_stream_with(&caller(&ctx), stream_id("unread"), LATENCY_FIRST)
        .await
        .unwrap();
    send(&mut sender, MANY, &PAYLOAD).await;
    assert!(sender.dropped() > 0);
    let mut numbers = Vec::new();
    while numbers.last() != Some(&MANY) {
        let (kind, body) = peer.record().await;
        assert_eq!(kind, RecordKind::StreamLatencyFirst);
        numbers.push(wire_frame::decode(&body).unwrap().sequence);
    }
    assert_rising(&numbers);
    assert_eq!(sender.dropped(), MANY - numbers.len() as u64);
}

#[tokio::test]
async fn frames_of_a_peer_without_credit_are_dropped_here() {
    const FRAMES: u64 = 5000;
    let world = World::new().await;
    let (server, _contexts) = start_server(&world, "Server").await;
    let outsider = Outsider::new(&world, "Official").await;
    let mut peer = outsider.dial(&server).await;
    let id = stream_id("flood");
    let mut subscription = subscribe_from(server.context(), outsider.id(), id.as_str());
    for number in 1..=FRAMES {
        peer.send_record(RecordKind::StreamLatencyFirst, &frame(id.as_str(), number, &PAYLOAD))
            .await;
    }
    // Nobody takes a frame, and still the connection is read.
    peer.round_trip().await;
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
    peer.send_record(RecordKind::StreamLatencyFirst, &frame(id.as_str(), FRAMES + 1, b"on"))
        .await;
    assert_eq!(within(subscription.next()).await.unwrap().payload, "on");
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
    let mut subscription = pair.subscribe(&id);
    let mut sender = open(&mut pair, &id).await;
    let error = within(sender.send(vec![0; 5 << 20])).await.unwrap_err();
    assert!(matches!(error, SendError::TooLong { .. }), "{error:?}");
    sender.send("fits").await.unwrap();
    sender.finish().await.unwrap();
    assert_eq!(within(subscription.next()).await.unwrap().sequence, 1);
    assert_eq!(within(subscription.next()).await, None);
    assert_eq!(subscription.end(), Some(StreamEnd::Finished { frames: 1 }));
}
