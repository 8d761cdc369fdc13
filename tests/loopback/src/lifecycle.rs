//! A node's life: it starts as a whole or not at all, and ends in order.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use actr_lite::{ActrError, ActrRef, Dest, ErrorCode, RouterError, StartError, StreamEnd};
use actr_lite_registry::{Options, Registry, client::LinkState};
use tokio::{
    net::TcpStream,
    sync::{mpsc, oneshot},
};

use crate::{
    harness::{
        deadline::{BOUND, until, within},
        error_reply::remote_error,
        messages::{Answer, Ask, Push, Secret},
        pair::Pair,
        server::start_server,
        stream::{caller, stream_id},
        world::World,
    },
    raw_peer::outsider::Outsider,
};

/// What happened, in its order.
#[derive(Clone, Default)]
struct Diary(Arc<Mutex<Vec<&'static str>>>);

impl Diary {
    fn note(&self, event: &'static str) {
        self.0.lock().unwrap().push(event);
    }

    fn events(&self) -> Vec<&'static str> {
        self.0.lock().unwrap().clone()
    }
}

async fn nobody_listens(address: SocketAddr) {
    until(|| async { TcpStream::connect(address).await.err().map(drop) }).await;
}

async fn nobody_is_registered(observer: &Outsider, name: &str) {
    let actr_type = format!("acme+{name}").parse().unwrap();
    until(|| async {
        let found = within(observer.link.candidates(&actr_type, 8, "")).await.unwrap();
        found.is_empty().then_some(())
    })
    .await;
}

#[tokio::test]
async fn on_start_and_on_stop_run_once_and_can_use_the_network() {
    let world = World::new().await;
    let (peer, _contexts) = start_server(&world, "Peer").await;
    let diary = Diary::default();
    let (started, stopped) = (diary.clone(), diary.clone());
    let dest = Dest::actor(peer.actor_id());
    let (on_start_dest, on_stop_dest) = (dest.clone(), dest);
    let node = world
        .node("Node")
        .on_start(move |ctx| {
            let (diary, dest) = (started.clone(), on_start_dest.clone());
            async move {
                assert_eq!(ctx.caller_id(), None);
                ctx.call(&dest, Ask::default()).await?;
                diary.note("on_start");
                Ok(())
            }
        })
        .on_stop(move |ctx| {
            let (diary, dest) = (stopped.clone(), on_stop_dest.clone());
            async move {
                ctx.call(&dest, Ask::default()).await?;
                diary.note("on_stop");
                Ok(())
            }
        })
        .start()
        .await;
    diary.note("started");
    let other = node.clone();
    within(async { tokio::join!(node.shutdown(), other.shutdown(), other.wait_for_shutdown()) }).await;
    diary.note("shut down");
    within(node.shutdown()).await;
    assert_eq!(diary.events(), ["on_start", "started", "on_stop", "shut down"]);
}

#[tokio::test]
async fn a_node_can_be_called_from_on_start_on() {
    let world = World::new().await;
    let (peer, mut contexts) = start_server(&world, "Peer").await;
    let dest = Dest::actor(peer.actor_id());
    let (go, gate) = oneshot::channel::<()>();
    let gate = Arc::new(Mutex::new(Some(gate)));
    let plan = world.node("Node").echo().on_start(move |ctx| {
        let (dest, gate) = (dest.clone(), gate.lock().unwrap().take().unwrap());
        async move {
            ctx.call(&dest, Push::default()).await?;
            gate.await.unwrap();
            Ok(())
        }
    });
    let starting = tokio::spawn(plan.start());
    let ctx = within(contexts.recv()).await.unwrap();
    let answer = within(ctx.call(&caller(&ctx), Ask::default())).await;
    assert!(answer.is_ok(), "{answer:?}");
    assert!(!starting.is_finished());
    go.send(()).unwrap();
    within(starting).await.unwrap();
}

#[tokio::test]
async fn a_failed_on_start_is_returned_and_leaves_nothing_behind() {
    let world = World::new().await;
    let observer = Outsider::new(&world, "Observer").await;
    let (ids, mut known) = mpsc::unbounded_channel();
    let (go, gate) = oneshot::channel::<()>();
    let gate = Arc::new(Mutex::new(Some(gate)));
    let stopped = Diary::default();
    let on_stop = stopped.clone();
    let plan = world
        .node("Node")
        .on_start(move |ctx| {
            ids.send(ctx.self_id()).unwrap();
            let gate = gate.lock().unwrap().take().unwrap();
            async move {
                gate.await.unwrap();
                Err(ActrError::internal("the disk is full"))
            }
        })
        .on_stop(move |_| {
            on_stop.note("on_stop");
            async { Ok(()) }
        });
    let starting = tokio::spawn(plan.node().start());
    let id = within(known.recv()).await.unwrap();
    let address = observer.address_of(&id).await.unwrap();
    go.send(()).unwrap();
    match within(starting).await.unwrap().err().unwrap() {
        StartError::OnStart(error) => assert_eq!(error.to_string(), "the disk is full"),
        error => panic!("{error:?}"),
    }
    nobody_listens(address).await;
    nobody_is_registered(&observer, "Node").await;
    assert!(stopped.events().is_empty());
}

#[tokio::test]
async fn a_start_that_is_dropped_in_on_start_leaves_nothing_behind() {
    let world = World::new().await;
    let observer = Outsider::new(&world, "Observer").await;
    let (ids, mut known) = mpsc::unbounded_channel();
    let plan = world.node("Node").on_start(move |ctx| {
        ids.send(ctx.self_id()).unwrap();
        std::future::pending()
    });
    let starting = tokio::spawn(plan.node().start());
    let id = within(known.recv()).await.unwrap();
    let address = observer.address_of(&id).await.unwrap();
    starting.abort();
    nobody_listens(address).await;
}

#[tokio::test]
async fn a_panic_in_on_start_is_an_error_of_the_start() {
    let world = World::new().await;
    let plan = world
        .node("Node")
        .on_start(|_| -> std::future::Ready<_> { panic!("as it must") });
    match within(plan.node().start()).await.err().unwrap() {
        StartError::OnStart(error) => assert_eq!(error.code(), ErrorCode::Internal),
        error => panic!("{error:?}"),
    }
}

#[tokio::test]
async fn a_node_that_nobody_registers_gives_up_when_it_was_told_to() {
    let world = World::new().await;
    let plan = world.node("Node");
    let World {
        registry,
        folder: _folder,
    } = world;
    registry.shutdown().await;
    let after = Duration::from_millis(300);
    let error = within(plan.node().register_timeout(after).start()).await.err().unwrap();
    match error {
        StartError::NotRegistered { after: limit, cause } => {
            assert_eq!(limit, after);
            assert!(!cause.is_empty());
        }
        error => panic!("{error:?}"),
    }
}

#[tokio::test]
async fn an_export_without_a_service_is_refused_at_the_start() {
    let world = World::new().await;
    let plan = world.node("Node").set(r#"exports=["protos/opne.proto"]"#);
    match within(plan.node().start()).await.err().unwrap() {
        StartError::Router(RouterError::Export { export, known }) => {
            assert_eq!(export, "protos/opne.proto");
            assert_eq!(known, ["hidden.proto", "open.proto"]);
        }
        error => panic!("{error:?}"),
    }
}

#[tokio::test]
async fn a_node_may_host_the_registry_itself() {
    let world = World::new().await;
    let host = world.node("Host").echo().set("system.signaling.embedded=true");
    let guest = world.node("Guest").hidden();
    // Its place is taken by the host's.
    let World {
        registry,
        folder: _folder,
    } = world;
    registry.shutdown().await;
    let host = host.start().await;
    let guest = guest.start().await;
    let found = within(guest.context().discover(host.actor_id().actr_type()))
        .await
        .unwrap();
    within(guest.context().call(&Dest::actor(found), Ask::default()))
        .await
        .unwrap();
    within(host.shutdown()).await;
}

#[tokio::test]
async fn a_shutdown_waits_for_tasks_and_then_calls_on_stop() {
    let world = World::new().await;
    let diary = Diary::default();
    let (in_handler, on_stop) = (diary.clone(), diary.clone());
    let (calls, mut called) = mpsc::unbounded_channel();
    let server = world
        .node("Server")
        .on(move |_: Ask, ctx| {
            let (diary, (go, gate)) = (in_handler.clone(), oneshot::channel::<()>());
            calls.send(go).unwrap();
            async move {
                let spawned = diary.clone();
                gate.await.unwrap();
                // Started during the shutdown, and waited for all the same.
                ctx.spawn(async move {
                    tokio::task::yield_now().await;
                    spawned.note("task");
                });
                diary.note("handler");
                Ok(Answer::text("done"))
            }
        })
        .on(|_: Push, _| async { Ok(Answer::default()) })
        .on_stop(move |_| {
            on_stop.note("on_stop");
            async { Ok(()) }
        })
        .start()
        .await;
    let client = world.client().await;
    let dest = Dest::actor(server.actor_id());
    let (ctx, to) = (client.context().clone(), dest.clone());
    let call = tokio::spawn(async move { ctx.call(&to, Ask::default()).await });
    let go = within(called.recv()).await.unwrap();
    let shutdown = tokio::spawn({
        let server = server.clone();
        async move { server.shutdown().await }
    });
    // From now on it takes no more calls, and says so at once.
    let refused = until(|| async { client.context().call(&dest, Push::default()).await.err() }).await;
    assert_eq!(remote_error(refused, &dest, "open.Open.Push").0, ErrorCode::Unavailable);
    assert!(!shutdown.is_finished());
    go.send(()).unwrap();
    assert_eq!(within(call).await.unwrap().unwrap().text, "done");
    within(shutdown).await.unwrap();
    assert_eq!(diary.events(), ["handler", "task", "on_stop"]);
}

/// Says so when it is dropped.
struct Guard(Diary);

impl Drop for Guard {
    fn drop(&mut self) {
        self.0.note("dropped");
    }
}

#[tokio::test]
async fn what_does_not_end_within_the_grace_is_dropped_before_on_stop() {
    let world = World::new().await;
    let diary = Diary::default();
    let on_stop = diary.clone();
    let plan = world.node("Node").on_stop(move |_| {
        on_stop.note("on_stop");
        async { Ok(()) }
    });
    let node = within(plan.node().shutdown_grace(Duration::from_millis(50)).start())
        .await
        .unwrap();
    let guard = Guard(diary.clone());
    node.context().spawn(async move {
        let _guard = guard;
        std::future::pending::<()>().await;
    });
    within(node.shutdown()).await;
    assert_eq!(diary.events(), ["dropped", "on_stop"]);
}

#[tokio::test]
async fn a_shutdown_ends_whatever_the_application_does() {
    let world = World::new().await;
    let diary = Diary::default();
    let on_stop = diary.clone();
    let plan = world.node("Node").on_stop(move |_| {
        let guard = Guard(on_stop.clone());
        async move {
            let _guard = guard;
            std::future::pending().await
        }
    });
    let node = within(plan.node().shutdown_grace(Duration::from_millis(80)).start())
        .await
        .unwrap();
    let stuck = node.context().clone();
    node.context().spawn(async move {
        stuck.spawn(std::future::pending::<()>());
        std::future::pending::<()>().await;
    });
    within(node.shutdown()).await;
    assert_eq!(diary.events(), ["dropped"]);
}

#[tokio::test]
async fn a_panic_in_a_spawned_task_ends_nothing_else() {
    let world = World::new().await;
    let node = world.node("Node").echo().start().await;
    let (done, is_done) = oneshot::channel();
    node.context().spawn::<()>(async { panic!("as it must") });
    node.context().spawn(async move { done.send(()).unwrap() });
    within(is_done).await.unwrap();
    within(node.call(Ask::default())).await.unwrap();
    within(node.shutdown()).await;
}

/// The peer learns of the end, nobody listens or is listed any more.
async fn assert_gone(node_address: SocketAddr, observer: &Outsider, name: &str) {
    nobody_listens(node_address).await;
    nobody_is_registered(observer, name).await;
}

#[tokio::test]
async fn dropping_the_last_handle_shuts_the_node_down() {
    let world = World::new().await;
    let observer = Outsider::new(&world, "Observer").await;
    let diary = Diary::default();
    let on_stop = diary.clone();
    let plan = world.node("Node").on_stop(move |_| {
        on_stop.note("on_stop");
        async { Ok(()) }
    });
    let node = plan.start().await;
    let address = observer.address_of(&node.actor_id()).await.unwrap();
    let context = node.context().clone();
    let other = node.clone();
    drop(node);
    TcpStream::connect(address).await.unwrap();
    drop(other);
    assert_gone(address, &observer, "Node").await;
    until(|| async { (diary.events() == ["on_stop"]).then_some(()) }).await;
    drop(context);
}

#[tokio::test]
async fn a_node_closes_despite_a_failing_on_stop() {
    for panics in [false, true] {
        let mut pair = Pair::new().await;
        let observer = Outsider::new(&pair.world, "Observer").await;
        let plan = pair.world.node("Node").echo().on_stop(move |_| async move {
            assert!(!panics, "on_stop panics");
            Err(ActrError::internal("on_stop fails"))
        });
        let node = plan.start().await;
        let address = observer.address_of(&node.actor_id()).await.unwrap();
        let id = stream_id("watch");
        let mut subscription = node.context().subscribe(id.clone(), &pair.server.actor_id()).unwrap();
        let ctx = pair.asked_by(&node).await;
        let mut sender = ctx.open_stream(&caller(&ctx), id).await.unwrap();
        sender.send("x").await.unwrap();
        within(subscription.next()).await.unwrap();
        within(node.shutdown()).await;
        assert_gone(address, &observer, "Node").await;
        // The connection closes too.
        within(sender.closed()).await;
        let end = until(|| async { subscription.end() }).await;
        assert_eq!(end, StreamEnd::Stopped);
    }
}

#[tokio::test]
async fn a_node_that_has_stopped_calls_nobody() {
    let pair = Pair::new().await;
    pair.round_trip().await;
    within(pair.client.shutdown()).await;
    let error = within(pair.client.context().call(&pair.dest(), Ask::default())).await;
    assert!(matches!(error, Err(ActrError::Stopping)), "{error:?}");
    let opened = pair.client.context().open_stream(&pair.dest(), stream_id("late")).await;
    assert!(matches!(opened, Err(ActrError::Stopping)), "{:?}", opened.err());
}

#[tokio::test]
async fn what_was_subscribed_to_ends_with_the_node() {
    let pair = Pair::new().await;
    let mut subscription = pair
        .client
        .context()
        .subscribe(stream_id("unfed"), &pair.server.actor_id())
        .unwrap();
    let ctx = pair.client.context();
    let mut registration = ctx
        .register_stream(stream_id("unfed2"), &pair.server.actor_id(), |_| {})
        .unwrap();
    within(pair.client.shutdown()).await;
    assert_eq!(within(registration.ended()).await, StreamEnd::Stopped);
    assert_eq!(within(subscription.next()).await, None);
}

async fn discovered(node: &ActrRef, other: &ActrRef) -> Option<()> {
    let found = node.context().discover(other.actor_id().actr_type()).await;
    (found.ok()? == other.actor_id()).then_some(())
}

#[tokio::test]
async fn a_registry_restart_does_not_disturb_streams() {
    let mut pair = Pair::new().await;
    let id = stream_id("lasting");
    let (mut sender, mut subscription) = pair.stream(&id).await;
    sender.send("before").await.unwrap();
    within(subscription.next()).await.unwrap();
    let (before, dest) = (pair.server.actor_id(), pair.dest());

    let address = pair.world.registry.local_addr().to_string();
    let registry = std::mem::replace(
        &mut pair.world.registry,
        Registry::bind("127.0.0.1:0", Options::default()).await.unwrap().spawn(),
    );
    registry.shutdown().await;
    sender.send("while it is away").await.unwrap();
    assert_eq!(within(subscription.next()).await.unwrap().payload, "while it is away");
    within(pair.client.context().call(&dest, Ask::default())).await.unwrap();

    let registry = until(|| async { Registry::bind(&address, Options::default()).await.ok() }).await;
    pair.world.registry = registry.spawn();
    until(|| async { discovered(&pair.client, &pair.server).await }).await;
    assert_ne!(pair.server.actor_id(), before);
    pair.round_trip().await;
    sender.send("after").await.unwrap();
    sender.finish().await.unwrap();
    assert_eq!(within(subscription.next()).await.unwrap().payload, "after");
    assert_eq!(within(subscription.next()).await, None);
    assert_eq!(subscription.end(), Some(StreamEnd::Finished { frames: 3 }));
    // It is let in, too, by whoever still has the id that it knows.
    within(pair.client.context().with_own_connection(&before))
        .await
        .unwrap();
    // A newcomer finds it and is let in.
    let newcomer = pair.world.node("Newcomer").hidden().start().await;
    let call = newcomer.context().call(&pair.dest(), Ask::default()).await;
    assert!(call.is_ok(), "{call:?}");
}

#[tokio::test]
async fn an_own_connection_closes_with_its_context() {
    let mut pair = Pair::new().await;
    pair.round_trip().await;
    let client = pair.client.context().clone();
    let own = within(client.with_own_connection(&pair.server.actor_id()))
        .await
        .unwrap();
    let id = stream_id("own");
    let mut subscription = client.subscribe(id.clone(), &pair.server.actor_id()).unwrap();
    let ctx = pair.asked_through(&own).await;
    let mut sender = ctx.open_stream(&caller(&ctx), id).await.unwrap();
    sender.send("x").await.unwrap();
    within(subscription.next()).await.unwrap();
    drop(own);
    within(sender.closed()).await;
    assert_eq!(within(subscription.next()).await, None);
    assert!(matches!(subscription.end(), Some(StreamEnd::PeerGone { .. })));
    pair.round_trip().await;
}

#[tokio::test]
async fn hidden_nodes_are_not_dialled_and_services_stay_local() {
    let mut pair = Pair::new().await;
    let observer = Outsider::new(&pair.world, "Observer").await;
    assert_eq!(observer.address_of(&pair.client.actor_id()).await, None);
    assert_eq!(*observer.link.state().borrow(), LinkState::Connected);
    let ctx = pair.asked().await;
    let error = within(ctx.call(&caller(&ctx), Secret::default())).await.unwrap_err();
    assert_eq!(error.code(), ErrorCode::PermissionDenied);
}

#[test]
fn a_runtime_that_is_dropped_with_live_streams_ends() {
    let (ended, has_ended) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        for round in 0..20 {
            let runtime = tokio::runtime::Builder::new_multi_thread()
                .worker_threads(2)
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(async {
                let mut pair = Pair::new().await;
                for number in 0..20 {
                    let id = stream_id(&format!("live{round}x{number}"));
                    // Some callbacks wait where the connection is read, some in a task of their own.
                    let ctx = pair.client.context();
                    let callback = move |_| async move {
                        if number % 2 == 0 {
                            std::future::pending::<()>().await;
                        }
                    };
                    let registration = ctx.register_stream_async(id.clone(), &pair.server.actor_id(), callback);
                    registration.unwrap().detach();
                    let mut sender = pair.open(&id).await;
                    sender.send("one").await.unwrap();
                }
                pair.round_trip().await;
            });
            drop(runtime);
        }
        ended.send(()).unwrap();
    });
    has_ended.recv_timeout(BOUND).expect("dropping a runtime hangs");
}
