//! A stream has one sender and one receiver, and both know which.

use actr_lite::{ActrError, Context, DataStream, Dest, SendError, StreamEnd, SubscribeError};
use tokio::sync::mpsc;

use crate::harness::{
    deadline::{until, within},
    messages::{Ask, Push},
    pair::Pair,
    server::start_server,
    stream::{assert_cancelled, caller, stream_id},
};

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
