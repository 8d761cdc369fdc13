//! Frames, and the names of streams.

use actr_lite::{Rpc as _, SendError, StreamEnd};
use actr_lite_wire::{envelope::Envelope, error_code::ErrorCode, record::RecordKind};
use futures_util::StreamExt as _;
use prost::Message as _;

use crate::{
    accounts::{STALL, echo},
    harness::{
        deadline::{until, within},
        messages::{Ask, Push},
        pair::Pair,
        server::start_plan,
        stream::{caller, stream_id},
        world::World,
    },
    raw_peer::{outsider::Outsider, wire_bytes::frame},
};

#[tokio::test]
async fn frames_that_wait_for_a_receiver_are_counted() {
    const FRAME: usize = 1 << 20;
    let mut pair = Pair::new().await;
    let outsider = Outsider::new(&pair.world, "Own").await;
    let mut peer = outsider.dial_extended(&pair.server).await;
    let request_id = peer.ask(Push::ROUTE, Push::default().encode_to_vec()).await;
    peer.answer(&request_id).await;
    let ctx = pair.next_context().await;
    // It reads what comes, and grants nothing.
    tokio::spawn(async move { while let Some(Ok(_)) = peer.socket.next().await {} });
    let mut refused = 0;
    let mut waiting = Vec::new();
    for number in 0..40 {
        let mut sender = ctx
            .open_stream(&caller(&ctx), stream_id(&format!("s{number}")))
            .await
            .unwrap();
        waiting.push(tokio::spawn(async move {
            loop {
                if let Err(error) = sender.send(vec![7; FRAME]).await {
                    return error;
                }
            }
        }));
    }
    until(|| async { (waiting.iter().filter(|one| one.is_finished()).count() >= 20).then_some(()) }).await;
    for one in waiting {
        if !one.is_finished() {
            one.abort();
            continue;
        }
        let error = one.await.unwrap();
        assert!(matches!(error, SendError::OverShare(_)), "{error:?}");
        assert!(error.to_string().contains("system.limits.max_bytes"), "{error}");
        refused += 1;
    }
    assert!(refused >= 20);
    pair.round_trip().await;
}

#[tokio::test]
async fn a_frame_that_waits_for_credit_has_a_deadline() {
    let world = World::new().await;
    let (server, mut contexts) = start_plan(world.node("Server").set(STALL)).await;
    let client = world.client().await;
    let mut subscription = client
        .context()
        .subscribe(stream_id("slow"), &server.actor_id())
        .unwrap();
    within(client.context().call(&server.actor_id(), Push::default()))
        .await
        .unwrap();
    let ctx = contexts.recv().await.unwrap();
    let mut sender = ctx.open_stream(&caller(&ctx), stream_id("slow")).await.unwrap();
    let error = within(async {
        loop {
            if let Err(error) = sender.send([7; 10_000]).await {
                return error;
            }
        }
    })
    .await;
    assert!(matches!(error, SendError::Stalled { .. }), "{error:?}");
    while within(subscription.next()).await.is_some() {}
    let end = subscription.end().unwrap();
    let StreamEnd::Failed { code, message, .. } = &end else {
        panic!("{end:?}");
    };
    assert_eq!(*code, ErrorCode::TimedOut);
    assert!(message.as_str().contains("system.limits.stall_timeout"), "{message}");
    echo(&client, &server).await;
}

#[tokio::test]
async fn names_of_refused_streams_are_counted() {
    let world = World::new().await;
    let plan = world.node("Server").set("system.limits.max_bytes_per_peer=131072");
    let (server, _contexts) = start_plan(plan).await;
    let outsider = Outsider::new(&world, "Own").await;
    let mut peer = outsider.dial_extended(&server).await;
    // More names than the share has room for: older ones are forgotten, and refused once more when they come again.
    for round in 0..2 {
        for number in 0..600 {
            let body = frame(&format!("unknown{number:0>100}"), 1, b"x");
            peer.send_record(RecordKind::StreamReliable, &body).await;
        }
        let mut cancelled = 0;
        let request_id = peer.ask(Ask::ROUTE, Ask::default().encode_to_vec()).await;
        loop {
            let (kind, body) = peer.next_record().await;
            match kind {
                RecordKind::StreamCancel => cancelled += 1,
                _ => match Envelope::decode(body).unwrap() {
                    Envelope::Response { request_id: id, .. } if id == request_id => break,
                    other => panic!("{other:?}"),
                },
            }
        }
        assert!(cancelled > 100, "round {round}: {cancelled}");
    }
}
