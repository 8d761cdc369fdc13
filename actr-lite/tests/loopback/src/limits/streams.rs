//! How many streams and subscriptions there may be.

use std::time::Duration;

use actr_lite::{ActrError, ActrRef, Context, Dest, ErrorCode, Rpc as _, SendError, SubscribeError};
use actr_lite_registry::Options;

use crate::{
    harness::{
        deadline::{until, within},
        messages::Push,
        server::start_plan,
        stream::{caller, stream_id},
        world::World,
    },
    limits::{asked, asked_through, assert_refused_for, echo, open, opening},
    raw_peer::outsider::Outsider,
};

#[tokio::test]
async fn a_stream_over_the_nodes_limit_is_the_callers_error() {
    let world = World::new().await;
    let server = opening(world.node("Server").echo()).set("system.limits.max_streams=2");
    let server = server.start().await;
    let dest = Dest::actor(server.actor_id());
    let client = world.client().await;
    let other = world.node("Other").hidden().start().await;
    let first = open(&client, &dest, "first").await.unwrap();
    let second = open(&other, &dest, "second").await.unwrap();
    let error = open(&client, &dest, "third").await.err().unwrap();
    assert_refused_for(error, &dest, Push::ROUTE, "system.limits.max_streams", 2);
    echo(&client, &dest).await.unwrap();

    // The place of a stream that has ended is free again; nothing has happened to the other one.
    drop(first);
    let _third = until(|| async { open(&client, &dest, "third").await.ok() }).await;
    assert_eq!(second.end(), None);
}

#[tokio::test]
async fn the_streams_to_a_peer_count_over_all_its_connections() {
    let world = World::new().await;
    let (server, mut contexts) = start_plan(world.node("Server").set("system.limits.max_streams_per_peer=2")).await;
    let dest = Dest::actor(server.actor_id());
    let client = world.client().await;
    let own = within(client.context().with_own_connection(&server.actor_id()))
        .await
        .unwrap();
    let shared = asked(&client, &dest, &mut contexts).await;
    let separate = asked_through(&own, &dest, &mut contexts).await;
    let open = async |ctx: &Context, id: &str| ctx.open_stream(&caller(ctx), stream_id(id)).await;
    let first = open(&shared, "first").await.unwrap();
    let _second = open(&separate, "second").await.unwrap();
    for ctx in [&shared, &separate] {
        let error = open(ctx, "third").await.err().unwrap();
        let ActrError::Send(SendError::TooManyStreams(limit)) = &error else {
            panic!("{error:?}");
        };
        assert_eq!((limit.key(), limit.value()), ("system.limits.max_streams_per_peer", 2));
        assert_eq!(error.code(), ErrorCode::Unavailable);
        assert!(error.to_string().contains("2 streams to one peer"), "{error}");
    }
    let other = world.node("Other").hidden().start().await;
    let ctx = asked(&other, &dest, &mut contexts).await;
    let _others = open(&ctx, "third").await.unwrap();
    first.finish().await.unwrap();
    let _third = open(&separate, "third").await.unwrap();
}

#[tokio::test]
async fn one_subscription_too_many_is_an_error_that_names_the_limit() {
    let world = World::new().await;
    let node = world
        .node("Node")
        .set("system.limits.max_subscriptions=1")
        .start()
        .await;
    let ctx = node.context();
    let first = ctx.subscribe(stream_id("first"), &ctx.self_id()).unwrap();
    let error = ctx.subscribe(stream_id("second"), &ctx.self_id()).err().unwrap();
    let SubscribeError::TooMany(limit) = error else {
        panic!("{error:?}");
    };
    assert_eq!((limit.key(), limit.value()), ("system.limits.max_subscriptions", 1));
    assert_eq!(ActrError::from(error).code(), ErrorCode::Unavailable);
    drop(first);
    drop(ctx.subscribe(stream_id("second"), &ctx.self_id()).unwrap());
}

#[tokio::test]
async fn the_registry_names_the_less_loaded_of_two_nodes_first() {
    let world = World::with(Options {
        heartbeat_interval: Duration::from_secs(1),
        ..Options::default()
    })
    .await;
    let plan = || opening(world.node("Server")).set("system.limits.max_streams=4");
    let busy = plan().start().await;
    let calm = plan().start().await;
    let client = world.client().await;
    let ids: Vec<_> = (0..4).map(|number| format!("stream-{number}")).collect();
    let mut subscriptions = Vec::new();
    for id in &ids {
        subscriptions.push(open(&client, &Dest::actor(busy.actor_id()), id).await.unwrap());
    }
    let observer = Outsider::new(&world, "Observer").await;
    let first = async || {
        let found = within(observer.link.candidates(busy.actor_id().actr_type(), 2, ""))
            .await
            .unwrap();
        assert_eq!(found.len(), 2);
        found.into_iter().next().unwrap().id
    };
    // Nodes of the same load come first in turn, so that four times the same is no coincidence.
    let settled = async |expected: &ActrRef| {
        until(|| async {
            for _ in 0..4 {
                if first().await != expected.actor_id() {
                    return None;
                }
            }
            Some(())
        })
        .await;
    };
    settled(&calm).await;

    drop(subscriptions);
    until(|| async { (first().await == busy.actor_id()).then_some(()) }).await;
}
