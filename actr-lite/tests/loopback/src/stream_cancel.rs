//! A receiver that wants no more stops its sender.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicUsize, Ordering},
};

use actr_lite::{ActrError, DataStream, SendError, StreamEnd, StreamSender};

use crate::harness::{
    deadline::{until, within},
    pair::Pair,
    stream::{assert_cancelled, caller, stream_id},
};

const PAYLOAD: [u8; 1000] = [7; 1000];

/// The error that ends the sending, sooner or later.
async fn send_until_error(sender: &mut StreamSender) -> SendError {
    within(async {
        loop {
            if let Err(error) = sender.send(PAYLOAD).await {
                return error;
            }
            tokio::task::yield_now().await;
        }
    })
    .await
}

#[tokio::test]
async fn unregistering_a_stream_stops_its_sender() {
    let mut pair = Pair::new().await;
    let id = stream_id("unregister");
    let seen = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&seen);
    let callback = move |_| {
        count.fetch_add(1, Ordering::SeqCst);
    };
    let mut registration = pair.register(&id, callback);
    let mut sender = pair.open(&id).await;
    sender.send("1").await.unwrap();
    until(|| async { (seen.load(Ordering::SeqCst) == 1).then_some(()) }).await;
    assert!(pair.client.context().unregister_stream(&id));
    assert!(!pair.client.context().unregister_stream(&id));
    assert_cancelled(&within(sender.closed()).await, &id);
    assert_cancelled(&sender.send("2").await.unwrap_err(), &id);
    assert_cancelled(&sender.finish().await.unwrap_err(), &id);
    assert_eq!(within(registration.ended()).await, StreamEnd::Cancelled);
    assert_eq!(seen.load(Ordering::SeqCst), 1);
    pair.round_trip().await;
}

#[tokio::test]
async fn a_sender_that_waits_for_credit_learns_of_the_end_at_once() {
    let mut pair = Pair::new().await;
    let id = stream_id("waiting");
    let (mut sender, subscription) = pair.stream(&id).await;
    pair.fill(&mut sender, &PAYLOAD).await;
    let waiting = tokio::spawn(async move { sender.send(PAYLOAD).await });
    tokio::task::yield_now().await;
    assert!(!waiting.is_finished());
    drop(subscription);
    assert_cancelled(&within(waiting).await.unwrap().unwrap_err(), &id);
}

#[tokio::test]
async fn dropping_a_subscription_stops_its_sender() {
    let mut pair = Pair::new().await;
    let id = stream_id("drop");
    let (mut sender, mut subscription) = pair.stream(&id).await;
    sender.send("1").await.unwrap();
    within(subscription.next()).await.unwrap();
    drop(subscription);
    assert_cancelled(&send_until_error(&mut sender).await, &id);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_frame_is_handed_over_after_a_stream_was_unregistered() {
    const LAST: u64 = 5;
    let mut pair = Pair::new().await;
    let id = stream_id("enough");
    let (ctx, own_id) = (pair.client.context().clone(), id.clone());
    let seen = Arc::new(Mutex::new(Vec::new()));
    let sequences = Arc::clone(&seen);
    let callback = move |frame: DataStream| {
        sequences.lock().unwrap().push(frame.sequence);
        if frame.sequence == LAST {
            assert!(ctx.unregister_stream(&own_id));
        }
        async {}
    };
    let mut registration = pair.register_async(&id, callback);
    let mut sender = pair.open(&id).await;
    let sending = tokio::spawn(async move { send_until_error(&mut sender).await });
    assert_eq!(within(registration.ended()).await, StreamEnd::Cancelled);
    assert_cancelled(&within(sending).await.unwrap(), &id);
    assert_eq!(*seen.lock().unwrap(), [1, 2, 3, 4, 5]);
}

#[tokio::test]
async fn a_subscription_whose_stream_was_unregistered_yields_no_more() {
    let mut pair = Pair::new().await;
    let id = stream_id("elsewhere");
    let (mut sender, mut subscription) = pair.stream(&id).await;
    for _ in 0..10 {
        sender.send("x").await.unwrap();
    }
    pair.round_trip().await;
    within(subscription.next()).await.unwrap();
    assert!(pair.client.context().unregister_stream(&id));
    assert_eq!(within(subscription.next()).await, None);
    assert_eq!(subscription.end(), Some(StreamEnd::Cancelled));
    assert_cancelled(&within(sender.closed()).await, &id);
}

#[tokio::test]
async fn a_panic_in_a_callback_ends_its_stream_and_nothing_else() {
    let mut pair = Pair::new().await;
    let (id, other) = (stream_id("panics"), stream_id("calm"));
    let callback = |frame: DataStream| async move {
        assert!(frame.sequence < 3, "frame {} is too much", frame.sequence);
    };
    let mut registration = pair.register_async(&id, callback);
    let mut calm = pair.subscribe(&other);
    let mut calm_sender = pair.open(&other).await;
    let mut sender = pair.open(&id).await;
    assert_cancelled(&send_until_error(&mut sender).await, &id);
    let end = within(registration.ended()).await;
    assert_eq!(end, StreamEnd::Panicked("frame 3 is too much".into()));
    calm_sender.send("still here").await.unwrap();
    assert_eq!(within(calm.next()).await.unwrap().payload, "still here");
    pair.round_trip().await;

    // Also when the panic comes before the callback's future, and the id is free again.
    drop(sender);
    let callback = |_| -> std::future::Ready<()> { panic!("at once") };
    let mut registration = pair.register_async(&id, callback);
    let mut sender = pair.open(&id).await;
    assert_cancelled(&send_until_error(&mut sender).await, &id);
    assert_eq!(
        within(registration.ended()).await,
        StreamEnd::Panicked("at once".into())
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_registration_gets_no_frame_of_the_old_stream() {
    let mut pair = Pair::new().await;
    let id = stream_id("again");
    for round in 0..300_u32 {
        let mut subscription = pair.subscribe(&id);
        // The old sender may still have the stream: until it has learned of the end, it is open.
        let mut sender = loop {
            let ctx = pair.asked().await;
            match ctx.open_stream(&caller(&ctx), id.clone()).await {
                Ok(sender) => break sender,
                Err(ActrError::Send(SendError::AlreadyOpen(_))) => tokio::task::yield_now().await,
                Err(error) => panic!("{error:?}"),
            }
        };
        tokio::spawn(async move {
            // As fast as possible, until the receiver cancels.
            while sender.send(round.to_be_bytes()).await.is_ok() {}
        });
        for number in 1..=u64::from(round % 5) + 1 {
            let frame = within(subscription.next()).await.unwrap();
            assert_eq!((frame.sequence, &frame.payload[..]), (number, &round.to_be_bytes()[..]));
        }
    }
}

#[tokio::test]
async fn a_finished_stream_can_be_asked_for_again_at_once() {
    let mut pair = Pair::new().await;
    let id = stream_id("reused");
    for round in 0..200_u64 {
        let (mut sender, mut subscription) = pair.stream(&id).await;
        for _ in 0..round % 3 {
            sender.send(round.to_be_bytes()).await.unwrap();
        }
        sender.finish().await.unwrap();
        for _ in 0..round % 3 {
            assert_eq!(
                within(subscription.next()).await.unwrap().payload[..],
                round.to_be_bytes()
            );
        }
        assert_eq!(within(subscription.next()).await, None);
        assert_eq!(subscription.end(), Some(StreamEnd::Finished { frames: round % 3 }));
    }
}

#[tokio::test]
async fn send_stream_fails_at_once_when_the_receiver_has_unregistered() {
    let mut pair = Pair::new().await;
    let id = stream_id("directly");
    let mut subscription = pair.subscribe(&id);
    let ctx = pair.asked().await;
    let dest = caller(&ctx);
    ctx.send_stream(&dest, &DataStream::new(id.clone(), 1, "x"))
        .await
        .unwrap();
    within(subscription.next()).await.unwrap();
    drop(subscription);
    // Once a call has come back, the cancel has come too.
    pair.round_trip().await;
    let refused = ctx.send_stream(&dest, &DataStream::new(id.clone(), 2, "x")).await;
    match refused.unwrap_err() {
        ActrError::Send(error) => assert_cancelled(&error, &id),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_send_stream_stream_can_be_requested_again() {
    let mut pair = Pair::new().await;
    let id = stream_id("direct2");
    for _ in 0..3 {
        let mut subscription = pair.subscribe(&id);
        let ctx = pair.asked().await;
        // All that this handler had to send: this form has no end of its own.
        let frame = DataStream::new(id.clone(), 1, "x");
        within(ctx.send_stream(&caller(&ctx), &frame)).await.unwrap();
        assert_eq!(within(subscription.next()).await, Some(frame));
        assert!(pair.client.context().unregister_stream(&id));
    }
}
