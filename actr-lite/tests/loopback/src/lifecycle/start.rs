//! A node starts as a whole, or says why not and leaves nothing behind.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use actr_lite::{ActrError, Dest, ErrorCode, RouterError, StartError};
use tokio::sync::{mpsc, oneshot};

use crate::{
    harness::{
        deadline::within,
        messages::{Ask, Push},
        server::start_server,
        stream::caller,
        world::World,
    },
    lifecycle::{Diary, nobody_is_registered, nobody_listens},
    raw_peer::outsider::Outsider,
};

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
        .on_stop(stopped.notes_stop());
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
async fn a_node_that_gets_no_answer_in_time_asks_for_more_of_it() {
    let world = World::new().await;
    let plan = world.node("Node");
    let node = plan.node().register_timeout(Duration::ZERO);
    let error = within(node.start()).await.err().unwrap();
    assert!(matches!(error, StartError::NoAnswer { .. }), "{error:?}");
    let error = error.to_string();
    assert!(
        error.contains("within less than 1 ms") && error.contains("give it more time"),
        "{error}"
    );
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
