//! A callback gets one frame after the other, and may use its node.

use std::{
    future::ready,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use actr_lite::{DataStream, StreamEnd};
use tokio::sync::{Barrier, mpsc};

use crate::harness::{
    deadline::within,
    messages::Ask,
    pair::Pair,
    stream::{stream_id, subscribe_from},
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn callbacks_overlap_between_streams_only() {
    const FRAMES: u64 = 50;
    let mut pair = Pair::new().await;
    // Each callback waits until one of the other stream runs too.
    let together = Arc::new(Barrier::new(2));
    let mut registrations = Vec::new();
    for id in ["left", "right"] {
        let id = stream_id(id);
        let (together, running) = (Arc::clone(&together), Arc::new(AtomicUsize::new(0)));
        let mut expected = 0;
        let callback = move |frame: DataStream| {
            expected += 1;
            assert_eq!(frame.sequence, expected);
            let (together, running) = (Arc::clone(&together), Arc::clone(&running));
            async move {
                assert_eq!(running.fetch_add(1, Ordering::SeqCst), 0);
                together.wait().await;
                tokio::task::yield_now().await;
                assert_eq!(running.fetch_sub(1, Ordering::SeqCst), 1);
            }
        };
        let registration = pair.register_async(&id, callback);
        assert_eq!(registration.stream_id(), &id);
        registrations.push(registration);
        let mut sender = pair.open(&id).await;
        for _ in 0..FRAMES {
            sender.send("x").await.unwrap();
        }
        sender.finish().await.unwrap();
    }
    for registration in &mut registrations {
        assert_eq!(
            within(registration.ended()).await,
            StreamEnd::Finished { frames: FRAMES }
        );
    }
}

#[tokio::test]
async fn a_callback_may_use_the_connection_that_feeds_it() {
    const FRAMES: u64 = 100;
    let mut pair = Pair::new().await;
    let (id, back) = (stream_id("there"), stream_id("back"));
    let (ctx, dest) = (pair.client.context().clone(), pair.dest());
    let mut echoes = subscribe_from(pair.server.context(), &pair.client.actor_id(), back.as_str());
    let callback = move |frame: DataStream| {
        let (ctx, dest, back) = (ctx.clone(), dest.clone(), back.clone());
        async move {
            ctx.call(&dest, Ask::default()).await.unwrap();
            let echo = DataStream::new(back, frame.sequence, frame.payload);
            ctx.send_stream(&dest, &echo).await.unwrap();
        }
    };
    let mut registration = pair.register_async(&id, callback);
    let mut sender = pair.open(&id).await;
    for number in 1..=FRAMES {
        sender.send(number.to_be_bytes()).await.unwrap();
    }
    sender.finish().await.unwrap();
    for number in 1..=FRAMES {
        let echo = within(echoes.next()).await.unwrap();
        assert_eq!((echo.sequence, &echo.payload[..]), (number, &number.to_be_bytes()[..]));
    }
    assert_eq!(
        within(registration.ended()).await,
        StreamEnd::Finished { frames: FRAMES }
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_callback_that_blocks_its_thread_holds_up_others_once() {
    let mut pair = Pair::new().await;
    let (goes_on, gate) = std::sync::mpsc::channel();
    let (seen, mut calls) = mpsc::unbounded_channel();
    let callback = move |frame: DataStream| {
        let begin = Instant::now();
        if frame.sequence > 1 {
            gate.recv().unwrap();
        }
        // Too long for one that runs where the connection is read.
        while begin.elapsed() < Duration::from_millis(5) {}
        seen.send(()).unwrap();
        ready(())
    };
    let (blocks, other) = (stream_id("blocks"), stream_id("other"));
    let _registration = pair.register_async(&blocks, callback);
    let mut frames = subscribe_from(pair.client.context(), &pair.server.actor_id(), other.as_str());
    let (mut blocking, mut others) = (pair.open(&blocks).await, pair.open(&other).await);
    blocking.send("once").await.unwrap();
    within(calls.recv()).await.unwrap();
    blocking.send("and again").await.unwrap();
    others.send("goes on").await.unwrap();
    assert_eq!(within(frames.next()).await.unwrap().sequence, 1);
    goes_on.send(()).unwrap();
    within(calls.recv()).await.unwrap();
}

#[tokio::test]
async fn the_end_is_told_after_the_callback_had_its_last_frame() {
    let mut pair = Pair::new().await;
    let id = stream_id("last");
    let (go, gate) = tokio::sync::oneshot::channel::<()>();
    let (mut gate, done) = (Some(gate), Arc::new(AtomicUsize::new(0)));
    let count = Arc::clone(&done);
    let callback = move |_| {
        let (gate, count) = (gate.take(), Arc::clone(&count));
        async move {
            gate.unwrap().await.unwrap();
            count.fetch_add(1, Ordering::SeqCst);
        }
    };
    let mut registration = pair.register_async(&id, callback);
    let mut sender = pair.open(&id).await;
    sender.send("the only one").await.unwrap();
    sender.finish().await.unwrap();
    pair.round_trip().await;
    tokio::select! {
        biased;
        end = registration.ended() => panic!("{end:?} before the callback was done"),
        () = tokio::task::yield_now() => {}
    }
    go.send(()).unwrap();
    assert_eq!(within(registration.ended()).await, StreamEnd::Finished { frames: 1 });
    assert_eq!(done.load(Ordering::SeqCst), 1);
}
