//! What is queued does not outlive its stream, its receiver or its node.

use actr_lite::{CloseReason, SendError};

use crate::{
    harness::{
        deadline::within,
        messages::Push,
        pair::Pair,
        server::start_server,
        stream::{assert_cancelled, caller, stream_id},
        world::World,
    },
    latency_first::{LATENCY_FIRST, MANY, PAYLOAD, send, stream},
};

#[tokio::test]
async fn a_node_stops_despite_senders_with_queued_frames() {
    let mut pair = Pair::new().await;
    let mut kept = Vec::new();
    for id in ["dropped", "kept"] {
        let id = stream_id(id);
        let (mut sender, subscription) = stream(&mut pair, &id).await;
        send(&mut sender, 2000, &PAYLOAD).await;
        assert!(sender.dropped() > 0);
        kept.push((subscription, Some(sender)));
    }
    kept[0].1 = None;
    within(pair.server.shutdown()).await;
    let error = within(kept[1].1.as_ref().unwrap().closed()).await;
    assert!(matches!(error, SendError::PeerGone { .. }), "{error:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cancel_drops_what_is_queued() {
    let mut pair = Pair::new().await;
    let id = stream_id("again");
    for _ in 0..5 {
        let (mut sender, subscription) = stream(&mut pair, &id).await;
        send(&mut sender, MANY / 20, b"old and in the way".repeat(60).as_slice()).await;
        assert!(sender.dropped() > 0);
        drop(subscription);
        let error = within(sender.closed()).await;
        assert_cancelled(&error, &id);
        assert_cancelled(&sender.send("late").await.unwrap_err(), &id);
        let dropped = sender.dropped();
        assert_cancelled(&sender.finish().await.unwrap_err(), &id);
        assert!(dropped > 0);

        let (mut sender, mut subscription) = stream(&mut pair, &id).await;
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
