//! A connection that nobody uses is closed, and no other.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use actr_lite::{ActrRef, Dest, StreamEnd};
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

use crate::{
    harness::{
        deadline::within,
        messages::{Answer, Ask, Push},
        server::start_plan,
        stream::{caller, stream_id},
        waiting_server::waiting,
        world::World,
    },
    limits::{asked, echo},
    raw_peer::outsider::Outsider,
};

/// Waits for this many idle timeouts of a node, without using its connections.
async fn idle_timeouts(outsider: &Outsider, node: &ActrRef, count: usize) {
    for _ in 0..count {
        let peer = outsider.dial_extended(node).await;
        let frame = peer.closed().await.unwrap();
        assert_eq!(frame.code, CloseCode::Normal);
        assert_eq!(frame.reason, "nobody uses the connection any more");
    }
}

#[tokio::test]
async fn an_unused_connection_is_closed_and_replaced_on_demand() {
    let world = World::new().await;
    let (server, mut contexts) = start_plan(world.node("Server").set("system.limits.idle_timeout=50ms")).await;
    let dest = Dest::actor(server.actor_id());
    let outsider = Outsider::new(&world, "Outsider").await;
    let mut peer = outsider.dial(&server).await;
    peer.round_trip().await;
    assert_eq!(
        peer.closed().await.unwrap().reason,
        "nobody uses the connection any more"
    );

    let client = world.client().await;
    let before = asked(&client, &dest, &mut contexts).await;
    drop(before);
    idle_timeouts(&outsider, &server, 3).await;
    let after = asked(&client, &dest, &mut contexts).await;
    assert_eq!(after.caller_id(), Some(&client.actor_id()));
}

#[tokio::test]
async fn no_call_is_lost_or_made_twice_at_an_idle_close() {
    const CALLS: usize = 30;
    let world = World::new().await;
    let made = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&made);
    let server = world.node("Server").set("system.limits.idle_timeout=20ms");
    let server = server.on(move |_: Ask, _| {
        counter.fetch_add(1, Ordering::Relaxed);
        async { Ok(Answer::default()) }
    });
    let server = server.start().await;
    let dest = Dest::actor(server.actor_id());
    // Once it is the callee alone that closes, once both.
    for (name, idle_timeout) in [("Patient", "1h"), ("Hasty", "20ms")] {
        let client = world
            .node(name)
            .hidden()
            .set(&format!("system.limits.idle_timeout={idle_timeout}"));
        let client = client.start().await;
        made.store(0, Ordering::Relaxed);
        for call in 0..CALLS {
            echo(&client, &dest)
                .await
                .unwrap_or_else(|error| panic!("{name}, call {call}: {error}"));
            tokio::time::sleep(Duration::from_micros(18_500 + 100 * call as u64)).await;
        }
        assert_eq!(made.load(Ordering::Relaxed), CALLS);
    }
}

#[tokio::test]
async fn a_connection_is_kept_as_long_as_something_is_open_on_it() {
    let world = World::new().await;
    let idle = "system.limits.idle_timeout=20ms";
    let (server, mut contexts) = start_plan(world.node("Server").set(idle)).await;
    let dest = Dest::actor(server.actor_id());
    let outsider = Outsider::new(&world, "Outsider").await;
    let start = async |name| world.node(name).hidden().set(idle).start().await;

    // A stream that pauses.
    let client = start("Streaming").await;
    let mut subscription = client
        .context()
        .subscribe(stream_id("pausing"), &server.actor_id())
        .unwrap();
    let ctx = asked(&client, &dest, &mut contexts).await;
    let mut sender = ctx.open_stream(&caller(&ctx), stream_id("pausing")).await.unwrap();
    drop(ctx);
    sender.send("before").await.unwrap();
    assert_eq!(within(subscription.next()).await.unwrap().payload, "before");

    // A stream that was asked for, and begins later.
    let asking = start("Asking").await;
    let mut later = asking
        .context()
        .subscribe(stream_id("later"), &server.actor_id())
        .unwrap();
    let later_ctx = asked(&asking, &dest, &mut contexts).await;

    // A connection of its own, with nothing on it.
    let owner = start("Owner").await;
    let own = within(owner.context().with_own_connection(&server.actor_id()))
        .await
        .unwrap();

    idle_timeouts(&outsider, &server, 10).await;
    sender.send("after").await.unwrap();
    assert_eq!(within(subscription.next()).await.unwrap().payload, "after");
    sender.finish().await.unwrap();
    assert!(within(subscription.next()).await.is_none());
    assert_eq!(subscription.end(), Some(StreamEnd::Finished { frames: 2 }));

    let late = later_ctx
        .open_stream(&caller(&later_ctx), stream_id("later"))
        .await
        .unwrap();
    late.finish().await.unwrap();
    assert!(within(later.next()).await.is_none());
    assert_eq!(later.end(), Some(StreamEnd::Finished { frames: 0 }));

    within(own.call(&dest, Ask::default())).await.unwrap();
}

#[tokio::test]
async fn a_call_that_takes_longer_than_the_idle_timeout_is_answered() {
    let world = World::new().await;
    let (plan, gate, mut begun) = waiting(world.node("Server"));
    let server = plan.set("system.limits.idle_timeout=20ms").start().await;
    let dest = Dest::actor(server.actor_id());
    let client = world.node("Client").hidden().set("system.limits.idle_timeout=20ms");
    let client = client.start().await;
    let ctx = client.context().clone();
    let call = tokio::spawn(async move { ctx.call(&dest, Push::default()).await });
    begun.recv().await.unwrap();
    idle_timeouts(&Outsider::new(&world, "Outsider").await, &server, 5).await;
    gate.add_permits(1);
    within(call).await.unwrap().unwrap();
    assert!(begun.try_recv().is_err(), "it was made twice");
}
