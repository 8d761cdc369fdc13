//! Reaching a limit is an error that names it, and ends nothing that goes on already. What nobody uses is closed.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use actr_lite::{
    ActrError, ActrRef, CallOptions, Context, Dest, ErrorCode, Rpc as _, SendError, StreamEnd, SubscribeError,
    Subscription,
};
use actr_lite_registry::Options;
use actr_lite_wire::{
    envelope::{Envelope, METADATA_ENTRY_COST},
    record::RecordKind,
};
use prost::Message as _;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    sync::{Semaphore, mpsc},
};
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

use crate::{
    harness::{
        deadline::{until, within},
        error_reply::remote_error,
        messages::{Answer, Ask, Push},
        node_plan::NodePlan,
        stream::{caller, stream_id},
        world::World,
    },
    raw_peer::{connection::dial, outsider::Outsider},
    stream_server::server::server_type,
};

/// Echoes, and hands over the context of each [`Push`].
fn serving(plan: NodePlan) -> (NodePlan, mpsc::UnboundedReceiver<Context>) {
    let (pushes, contexts) = mpsc::unbounded_channel();
    let plan = plan.echo().on(move |_: Push, ctx| {
        pushes.send(ctx).unwrap();
        async { Ok(Answer::default()) }
    });
    (plan, contexts)
}

async fn asked(client: &ActrRef, dest: &Dest, contexts: &mut mpsc::UnboundedReceiver<Context>) -> Context {
    asked_through(client.context(), dest, contexts).await
}

async fn asked_through(client: &Context, dest: &Dest, contexts: &mut mpsc::UnboundedReceiver<Context>) -> Context {
    within(client.call(dest, Push::default())).await.unwrap();
    contexts.recv().await.unwrap()
}

async fn echo(client: &ActrRef, dest: &Dest) -> Result<Answer, ActrError> {
    within(client.context().call(dest, Ask::default())).await
}

/// Opens a stream of the name of its request, sends one frame, and keeps it open until the receiver wants no more.
fn opening(plan: NodePlan) -> NodePlan {
    plan.on(|request: Push, ctx: Context| async move {
        let mut sender = ctx.open_stream(&caller(&ctx), stream_id(&request.text)).await?;
        ctx.spawn(async move {
            sender.send("begun").await.unwrap();
            sender.closed().await;
        });
        Ok(Answer::default())
    })
}

async fn open(client: &ActrRef, dest: &Dest, id: &str) -> Result<Subscription, ActrError> {
    let request = Push {
        text: id.into(),
        ..Push::default()
    };
    let Dest::Actor(server) = dest else { panic!("{dest}") };
    let mut subscription = client.context().subscribe(stream_id(id), server).unwrap();
    within(client.context().call(dest, request)).await?;
    assert_eq!(within(subscription.next()).await.unwrap().payload, "begun");
    Ok(subscription)
}

/// That the callee refused it for this limit, which it calls by its key.
#[track_caller]
fn assert_refused_for(error: ActrError, dest: &Dest, route: &str, key: &str, value: usize) {
    let (code, text) = remote_error(error, dest, route);
    assert_eq!(code, ErrorCode::Unavailable, "{text}");
    let key = format!("raise {key} in its Actr.toml");
    let value = format!("this node has {value} ");
    assert!(text.contains(&key) && text.contains(&value), "{text}");
}

#[tokio::test]
async fn a_peers_connection_over_its_limit_is_refused() {
    let world = World::new().await;
    let server = world
        .node("Server")
        .echo()
        .set("system.limits.max_connections_per_peer=2");
    let server = server.start().await;
    let client = world.client().await;
    let id = server.actor_id();
    let connect = || within(client.context().with_own_connection(&id));
    let first = connect().await.unwrap();
    let second = connect().await.unwrap();
    let error = connect().await.err().unwrap();
    assert!(matches!(error, ActrError::Unreachable { .. }), "{error:?}");
    let text = error.to_string();
    for part in [
        "(429 ",
        "2 connections of this peer",
        "system.limits.max_connections_per_peer",
    ] {
        assert!(text.contains(part), "{text}");
    }
    let other = world.node("Other").hidden().start().await;
    echo(&other, &Dest::actor(id.clone())).await.unwrap();
    within(second.call(&id, Ask::default())).await.unwrap();
    drop(first);
    until(|| async { connect().await.ok() }).await;
}

#[tokio::test]
async fn a_node_without_a_place_at_the_registry_names_the_limit() {
    let options = Options {
        max_connections: 1,
        ..Options::default()
    };
    let world = World::with(options).await;
    let first = world.node("First").hidden().start().await;
    until(|| async {
        let answered = first.context().discover(&server_type()).await;
        matches!(answered, Err(ActrError::Discover(_))).then_some(())
    })
    .await;
    let second = world.node("Second").hidden().node();
    let error = within(second.register_timeout(Duration::from_secs(1)).start()).await;
    let text = error.err().unwrap().to_string();
    for part in [
        "could not be registered within 1",
        "has 1 connections, its limit",
        "max_connections",
    ] {
        assert!(text.contains(part), "{text}");
    }
}

#[tokio::test]
async fn a_connection_over_the_nodes_limit_is_refused() {
    let world = World::new().await;
    let server = world.node("Server").echo().set("system.limits.max_connections=1");
    let server = server.start().await;
    let outsider = Outsider::new(&world, "Outsider").await;
    let address = outsider.address_of(&server.actor_id()).await.unwrap();
    let mut first = outsider.dial(&server).await;
    first.round_trip().await;
    let (status, text) = dial(address, &outsider.headers()).await.err().unwrap();
    assert!(
        status == 429 && text.contains("system.limits.max_connections"),
        "{status} {text}"
    );
    first.round_trip().await;
    drop(first);
    until(|| async { dial(address, &outsider.headers()).await.ok() }).await;
}

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
    let (plan, mut contexts) = serving(world.node("Server"));
    let server = plan.set("system.limits.max_streams_per_peer=2").start().await;
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

/// Metadata that costs this much.
fn with_metadata(bytes: usize) -> CallOptions {
    CallOptions {
        metadata: vec![("k".into(), "v".repeat(bytes - 1 - METADATA_ENTRY_COST))],
        ..CallOptions::default()
    }
}

#[track_caller]
fn assert_names_metadata_limit(text: &str, len: usize) {
    for part in [&len.to_string(), "300", "system.limits.max_metadata_bytes"] {
        assert!(text.contains(part), "{part}: {text}");
    }
}

#[tokio::test]
async fn the_caller_refuses_metadata_over_the_limit() {
    let world = World::new().await;
    let client = world
        .node("Client")
        .hidden()
        .echo()
        .set("system.limits.max_metadata_bytes=300");
    let client = client.start().await;
    // Nobody is there: it does not come to that.
    let nobody = Outsider::new(&world, "Nobody").await;
    for dest in [Dest::Local, Dest::actor(nobody.id().clone())] {
        let call = client.context().call_with(&dest, Ask::default(), with_metadata(301));
        let error = within(call).await.unwrap_err();
        assert!(
            matches!(error, ActrError::MetadataTooLong { len: 301, .. }),
            "{error:?}"
        );
        assert_eq!(error.code(), ErrorCode::InvalidArgument);
        assert_names_metadata_limit(&error.to_string(), 301);
    }
    let call = client
        .context()
        .call_with(&Dest::Local, Ask::default(), with_metadata(300));
    within(call).await.unwrap();
}

#[tokio::test]
async fn the_callee_refuses_metadata_over_the_limit() {
    let world = World::new().await;
    let (plan, mut contexts) = serving(world.node("Server"));
    let server = plan.set("system.limits.max_metadata_bytes=300").start().await;
    let dest = Dest::actor(server.actor_id());
    let client = world.client().await;
    let call = client.context().call_with(&dest, Push::default(), with_metadata(301));
    let (code, text) = remote_error(within(call).await.unwrap_err(), &dest, Push::ROUTE);
    assert_eq!(code, ErrorCode::InvalidArgument);
    assert_names_metadata_limit(&text, 301);

    // Of a message without an answer nothing is done either.
    let outsider = Outsider::new(&world, "Outsider").await;
    let mut peer = outsider.dial_extended(&server).await;
    let tell = Envelope::Tell {
        request_id: "told".into(),
        route_key: Push::ROUTE.into(),
        payload: Push::default().encode_to_vec().into(),
        metadata: with_metadata(301).metadata,
    };
    peer.send_record(RecordKind::RpcReliable, &tell.encode()).await;
    peer.round_trip().await;
    assert!(contexts.try_recv().is_err());
    let call = client.context().call_with(&dest, Push::default(), with_metadata(300));
    within(call).await.unwrap();
}

/// A node whose [`Push`] never ends, and says that it has begun.
pub(crate) fn waiting_server(world: &World) -> (NodePlan, mpsc::UnboundedReceiver<()>) {
    let (plan, _, begun) = waiting(world.node("Server"));
    (plan, begun)
}

/// A node whose [`Push`] takes until the test lets it end.
fn waiting(plan: NodePlan) -> (NodePlan, Arc<Semaphore>, mpsc::UnboundedReceiver<()>) {
    let gate = Arc::new(Semaphore::new(0));
    let (begun, has_begun) = mpsc::unbounded_channel();
    let handler_gate = Arc::clone(&gate);
    let plan = plan.echo().on(move |_: Push, _| {
        let gate = Arc::clone(&handler_gate);
        begun.send(()).unwrap();
        async move {
            gate.acquire().await.unwrap().forget();
            Ok(Answer::default())
        }
    });
    (plan, gate, has_begun)
}

#[tokio::test]
async fn one_call_too_many_is_refused_with_the_limit_that_it_meets() {
    let world = World::new().await;
    let (plan, gate, mut begun) = waiting(world.node("Server"));
    let plan = plan
        .set("system.limits.max_calls_per_peer=2")
        .set("system.limits.max_calls=3");
    let server = plan.start().await;
    let dest = Dest::actor(server.actor_id());
    let [client, other] = [world.node("Client"), world.node("Other")].map(|plan| plan.hidden().start());
    let (client, other) = (client.await, other.await);
    let push = |client: &ActrRef| {
        let (client, dest) = (client.clone(), dest.clone());
        tokio::spawn(async move { client.context().call(&dest, Push::default()).await })
    };
    let mut pushed = vec![push(&client), push(&client)];
    begun.recv().await.unwrap();
    begun.recv().await.unwrap();
    let error = echo(&client, &dest).await.unwrap_err();
    assert_refused_for(error, &dest, Ask::ROUTE, "system.limits.max_calls_per_peer", 2);
    pushed.push(push(&other));
    begun.recv().await.unwrap();
    let error = echo(&other, &dest).await.unwrap_err();
    assert_refused_for(error, &dest, Ask::ROUTE, "system.limits.max_calls", 3);
    gate.add_permits(3);
    for call in pushed {
        within(call).await.unwrap().unwrap();
    }
    until(|| async { echo(&client, &dest).await.ok() }).await;
}

#[tokio::test]
async fn a_caller_is_held_to_its_own_limit_of_calls_that_wait() {
    let world = World::new().await;
    let (plan, gate, mut begun) = waiting(world.node("Server"));
    let server = plan.start().await;
    let dest = Dest::actor(server.actor_id());
    let client = world.node("Client").hidden().set("system.limits.max_calls_per_peer=1");
    let client = client.start().await;
    let ctx = client.context().clone();
    let first = tokio::spawn({
        let (ctx, dest) = (ctx.clone(), dest.clone());
        async move { ctx.call(&dest, Push::default()).await }
    });
    begun.recv().await.unwrap();
    let error = echo(&client, &dest).await.unwrap_err();
    let ActrError::Busy(limit) = &error else {
        panic!("{error:?}");
    };
    assert_eq!((limit.key(), limit.value()), ("system.limits.max_calls_per_peer", 1));
    gate.add_permits(1);
    within(first).await.unwrap().unwrap();
    echo(&client, &dest).await.unwrap();
}

#[tokio::test]
async fn an_upgrade_that_trickles_in_is_cut_when_it_takes_too_long() {
    let world = World::new().await;
    let server = world.node("Server").echo().set("system.limits.header_timeout=50ms");
    let server = server.start().await;
    let outsider = Outsider::new(&world, "Outsider").await;
    let mut open = outsider.dial(&server).await;
    let address = outsider.address_of(&server.actor_id()).await.unwrap();
    let mut slow = TcpStream::connect(address).await.unwrap();
    slow.write_all(b"GET / HTTP/1.1\r\nhost: localhost\r\n").await.unwrap();
    let trickle = async {
        // Never a whole head, always a further byte: only the time since its beginning can end it.
        while slow.write_all(b"x").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    within(trickle).await;
    let mut silent = TcpStream::connect(address).await.unwrap();
    let mut answer = String::new();
    let _ = within(silent.read_to_string(&mut answer)).await;
    assert!(!answer.starts_with("HTTP/1.1 1"), "{answer}");
    open.round_trip().await;
}

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
    let (plan, mut contexts) = serving(world.node("Server"));
    let server = plan.set("system.limits.idle_timeout=50ms").start().await;
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
    let (plan, mut contexts) = serving(world.node("Server"));
    let server = plan.set(idle).start().await;
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
