//! Frames as they come: which, in what order, and whose.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use actr_lite::{ActrError, Context, DataStream, Dest, FrameHints, SendError, StreamEnd, SubscribeError};
use tokio::sync::{Barrier, mpsc};

use crate::harness::{
    deadline::{until, within},
    messages::{Ask, Push},
    pair::Pair,
    server::start_server,
    stream::{assert_cancelled, caller, stream_id, subscribe_from},
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_frames_arrive_in_order_and_the_end_has_their_count() {
    const FRAMES: u64 = 20_000;
    let mut pair = Pair::new().await;
    let id = stream_id("ordered1");
    let (mut sender, mut subscription) = pair.stream(&id).await;
    assert_eq!((sender.stream_id(), subscription.stream_id()), (&id, &id));
    let sending = tokio::spawn(async move {
        for number in 1..=FRAMES {
            sender.send(vec![number as u8; (number % 200) as usize]).await.unwrap();
        }
        sender.finish().await.unwrap();
    });
    for number in 1..=FRAMES {
        let frame = within(subscription.next()).await.unwrap();
        assert_eq!((frame.sequence, &frame.stream_id), (number, &id));
        assert_eq!(frame.payload, vec![number as u8; (number % 200) as usize]);
    }
    assert_eq!(within(subscription.next()).await, None);
    assert_eq!(subscription.end(), Some(StreamEnd::Finished { frames: FRAMES }));
    assert_eq!(subscription.sender(), &pair.server.actor_id());
    sending.await.unwrap();
}

#[tokio::test]
async fn a_stream_without_frames_ends_as_finished() {
    let mut pair = Pair::new().await;
    let id = stream_id("empty");
    let mut subscription = pair.subscribe(&id);
    pair.open(&id).await.finish().await.unwrap();
    assert_eq!(within(subscription.next()).await, None);
    assert_eq!(subscription.end(), Some(StreamEnd::Finished { frames: 0 }));
}

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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_streams_on_one_connection_lose_and_mix_nothing() {
    const STREAMS: u64 = 100;
    const FRAMES: u64 = 200;
    let mut pair = Pair::new().await;
    let mut work = tokio::task::JoinSet::new();
    for number in 0..STREAMS {
        let id = stream_id(&format!("many{number}"));
        let (mut sender, mut subscription) = pair.stream(&id).await;
        work.spawn(async move {
            for frame in 0..FRAMES {
                sender.send(format!("{number}/{frame}")).await.unwrap();
            }
            sender.finish().await.unwrap();
        });
        work.spawn(async move {
            for frame in 0..FRAMES {
                let got = subscription.next().await.unwrap();
                assert_eq!(got.payload, format!("{number}/{frame}"));
            }
            assert_eq!(subscription.next().await, None);
            assert_eq!(subscription.end(), Some(StreamEnd::Finished { frames: FRAMES }));
        });
    }
    within(work.join_all()).await;
    assert_eq!(pair.client.unknown_frames(), 0);
}

#[tokio::test]
async fn send_stream_keeps_the_frames_own_number_hints_and_time() {
    let mut pair = Pair::new().await;
    let id = stream_id("direct");
    let mut subscription = pair.subscribe(&id);
    let ctx = pair.asked().await;
    let dest = caller(&ctx);
    // One that counts from 0 is taken as it is.
    let empty = DataStream::new(id.clone(), 0, "").with_hints(FrameHints {
        timestamp_ms: Some(0),
        ..FrameHints::default()
    });
    let plain = DataStream::new(id.clone(), 1, "plain");
    let hinted = DataStream::new(id.clone(), 2, "hinted").with_hints(FrameHints {
        metadata: vec![("a".into(), "1".into()), ("b".into(), String::new())],
        timestamp_ms: Some(-5),
    });
    for frame in [&empty, &plain, &hinted] {
        ctx.send_stream(&dest, frame).await.unwrap();
        assert_eq!(within(subscription.next()).await.as_ref(), Some(frame));
    }
    let refused = ctx.open_stream(&dest, id.clone()).await.err().unwrap();
    assert!(
        matches!(&refused, ActrError::Send(SendError::AlreadyOpen(open)) if *open == id),
        "{refused:?}"
    );
}

#[tokio::test]
async fn a_frame_comes_once_and_a_missing_one_ends_the_stream() {
    let mut pair = Pair::new().await;
    let id = stream_id("filtered");
    let (frames, mut received) = mpsc::unbounded_channel();
    let mut registration = pair.register(&id, move |frame| {
        frames.send(frame.sequence).unwrap();
    });
    let ctx = pair.asked().await;
    for number in [1, 2, 2, 1, 3, 5] {
        let frame = DataStream::new(id.clone(), number, "x");
        ctx.send_stream(caller(&ctx), &frame).await.unwrap();
    }
    let end = within(registration.ended()).await;
    assert_eq!(end, StreamEnd::Gap { expected: 4, came: 5 });
    let mut numbers = Vec::new();
    within(received.recv_many(&mut numbers, 10)).await;
    assert_eq!(numbers, [1, 2, 3]);
    let progress = registration.progress();
    assert_eq!((progress.delivered, progress.bytes), (3, 3));
    assert_eq!((progress.duplicates, progress.out_of_order), (2, 0));
}

#[tokio::test]
async fn send_stream_ends_with_finish_stream_or_its_context() {
    let mut pair = Pair::new().await;
    for (name, frames, finishes) in [("done", 2, true), ("nothing", 0, true), ("broken", 2, false)] {
        let id = stream_id(name);
        let mut subscription = pair.subscribe(&id);
        let ctx = pair.asked().await;
        let dest = caller(&ctx);
        for number in 1..=frames {
            let frame = DataStream::new(id.clone(), number, "x");
            ctx.clone().send_stream(&dest, &frame).await.unwrap();
            within(subscription.next()).await.unwrap();
        }
        if finishes {
            ctx.finish_stream(&dest, &id).await.unwrap();
        }
        drop(ctx);
        assert_eq!(within(subscription.next()).await, None);
        let end = subscription.end().unwrap();
        match finishes {
            true => assert_eq!(end, StreamEnd::Finished { frames }),
            false => assert!(matches!(end, StreamEnd::Failed { frames: 2, .. }), "{end:?}"),
        }
    }
}

#[tokio::test]
async fn a_stream_can_be_opened_and_registered_only_once_at_a_time() {
    let mut pair = Pair::new().await;
    let id = stream_id("once");
    let client = pair.client.context().clone();
    let server = pair.server.actor_id();
    let subscription = client.subscribe(id.clone(), &server).unwrap();
    let twice = client.subscribe(id.clone(), &server).err();
    assert_eq!(twice, Some(SubscribeError::AlreadyRegistered(id.clone())));
    let twice = client.register_stream(id.clone(), &server, |_| {}).err();
    assert_eq!(twice, Some(SubscribeError::AlreadyRegistered(id.clone())));

    let ctx = pair.asked().await;
    let dest = caller(&ctx);
    let sender = ctx.open_stream(&dest, id.clone()).await.unwrap();
    for refused in [
        ctx.open_stream(&dest, id.clone()).await.err().unwrap(),
        ctx.clone().open_stream(&dest, id.clone()).await.err().unwrap(),
    ] {
        assert!(
            matches!(&refused, ActrError::Send(SendError::AlreadyOpen(open)) if *open == id),
            "{refused:?}"
        );
    }
    drop((sender, subscription));
    let _subscription = client.subscribe(id.clone(), &server).unwrap();
    ctx.open_stream(&dest, id).await.unwrap();
}

#[tokio::test]
async fn a_stream_to_the_own_node_is_refused() {
    let pair = Pair::new().await;
    let id = stream_id("local");
    let ctx = pair.client.context();
    let opened = ctx.open_stream(&Dest::Local, id.clone()).await.err().unwrap();
    assert!(matches!(opened, ActrError::Send(SendError::Local(_))), "{opened:?}");
    let sent = ctx.send_stream(&Dest::Local, &DataStream::new(id, 1, "x")).await;
    assert!(matches!(sent, Err(ActrError::Send(SendError::Local(_)))), "{sent:?}");
}

/// Another server, and its context of a call from the pair's client.
async fn intruder(pair: &Pair) -> (Dest, Context) {
    let (intruder, mut contexts) = start_server(&pair.world, "Intruder").await;
    let dest = Dest::actor(intruder.actor_id());
    within(pair.client.context().call(&dest, Push::default()))
        .await
        .unwrap();
    let ctx = contexts.recv().await.unwrap();
    // It runs for as long as the test does.
    std::mem::forget(intruder);
    (dest, ctx)
}

#[tokio::test]
async fn only_the_registered_sender_can_feed_a_stream() {
    let mut pair = Pair::new().await;
    let client = pair.client.context().clone();
    let (_, intruder_ctx) = intruder(&pair).await;
    let dest = caller(&intruder_ctx);
    let (fed, expected) = (stream_id("fed"), stream_id("expected"));
    let server = pair.server.actor_id();
    let mut fed_subscription = client.subscribe(fed.clone(), &server).unwrap();
    let mut expecting = client.subscribe(expected.clone(), &server).unwrap();
    let mut fed_sender = pair.open(&fed).await;
    fed_sender.send("1").await.unwrap();
    assert_eq!(within(fed_subscription.next()).await.unwrap().payload, "1");

    for id in [&fed, &expected] {
        let mut forged = intruder_ctx.open_stream(&dest, id.clone()).await.unwrap();
        forged.send("forged").await.unwrap();
        assert_cancelled(&within(forged.closed()).await, id);
        // Nor can it end a stream without a frame.
        drop(forged);
    }
    assert_eq!(pair.client.unknown_frames(), 2);

    fed_sender.send("2").await.unwrap();
    assert_eq!(within(fed_subscription.next()).await.unwrap().payload, "2");
    let mut expected_sender = pair.open(&expected).await;
    expected_sender.send("genuine").await.unwrap();
    assert_eq!(within(expecting.next()).await.unwrap().payload, "genuine");
    assert_eq!(expecting.sender(), &pair.server.actor_id());
    assert_eq!((fed_subscription.end(), expecting.end()), (None, None));
}

#[tokio::test]
async fn an_intruders_empty_stream_does_not_end_the_expected_one() {
    let mut pair = Pair::new().await;
    let client = pair.client.context().clone();
    let (intruder, intruder_ctx) = intruder(&pair).await;
    let id = stream_id("expected");
    let mut subscription = client.subscribe(id.clone(), &pair.server.actor_id()).unwrap();
    let forged = intruder_ctx
        .open_stream(&caller(&intruder_ctx), id.clone())
        .await
        .unwrap();
    forged.finish().await.unwrap();
    // What the intruder sent has arrived when its answer to a later call has.
    within(client.call(&intruder, Ask::default())).await.unwrap();
    assert_eq!(subscription.end(), None);
    pair.open(&id).await.finish().await.unwrap();
    assert_eq!(within(subscription.next()).await, None);
    assert_eq!(subscription.end(), Some(StreamEnd::Finished { frames: 0 }));
}

#[tokio::test]
async fn frames_of_an_unknown_stream_are_counted_and_stopped() {
    let mut pair = Pair::new().await;
    let id = stream_id("unknown");
    let mut sender = pair.open(&id).await;
    for _ in 0..3 {
        sender.send("nobody wants it").await.unwrap();
    }
    assert_cancelled(&within(sender.closed()).await, &id);
    assert_cancelled(&sender.send("more").await.unwrap_err(), &id);
    assert_eq!(pair.client.unknown_frames(), 3);
    drop(sender);

    // The refusal is no obstacle once the stream is registered.
    let (mut sender, mut subscription) = pair.stream(&id).await;
    sender.send("now").await.unwrap();
    assert_eq!(within(subscription.next()).await.unwrap().payload, "now");
    assert_eq!(pair.client.unknown_frames(), 3);
}

#[tokio::test]
async fn dropping_a_wait_for_the_next_frame_loses_none() {
    const FRAMES: u64 = 500;
    let mut pair = Pair::new().await;
    let id = stream_id("impatient");
    let (mut sender, mut subscription) = pair.stream(&id).await;
    let sending = tokio::spawn(async move {
        for _ in 0..FRAMES {
            sender.send("x").await.unwrap();
            tokio::task::yield_now().await;
        }
        sender.finish().await.unwrap();
    });
    let mut sequences = Vec::new();
    let mut dropped = 0;
    within(async {
        loop {
            tokio::select! {
                biased;
                frame = subscription.next() => match frame {
                    Some(frame) => sequences.push(frame.sequence),
                    None => break,
                },
                () = tokio::task::yield_now() => dropped += 1,
            }
        }
    })
    .await;
    sending.await.unwrap();
    assert!(dropped > 0);
    assert!(sequences.iter().copied().eq(1..=FRAMES), "{sequences:?}");
}

#[tokio::test]
async fn a_stream_may_be_opened_to_a_peer_that_did_not_call() {
    let pair = Pair::new().await;
    let receiver = pair.world.node("Receiver").start().await;
    let id = stream_id("uncalled");
    let (frames, mut received) = mpsc::unbounded_channel();
    let ctx = pair.client.context();
    let mut registration = receiver
        .context()
        .register_stream(id.clone(), &ctx.self_id(), move |frame| {
            frames.send(frame.payload).unwrap();
        })
        .unwrap();
    let dest = Dest::actor(receiver.actor_id());
    let mut sender = ctx.open_stream(&dest, id).await.unwrap();
    sender.send("hello").await.unwrap();
    sender.finish().await.unwrap();
    assert_eq!(within(registration.ended()).await, StreamEnd::Finished { frames: 1 });
    assert_eq!(received.recv().await, Some("hello".into()));
    assert_eq!(registration.progress().servers, [ctx.self_id()]);
    let open = until(|| async { Some(received.is_closed()) }).await;
    assert!(open, "the callback is dropped with its stream");
}
