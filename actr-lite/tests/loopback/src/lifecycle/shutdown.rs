//! A shutdown waits for what runs, for as long as its grace, and then ends it.

use std::time::Duration;

use actr_lite::{ActrError, Dest, ErrorCode, StreamEnd};
use tokio::{
    net::TcpStream,
    sync::{mpsc, oneshot},
};

use crate::{
    harness::{
        deadline::{until, within},
        error_reply::remote_error,
        messages::{Answer, Ask, Push},
        pair::Pair,
        stream::{caller, stream_id},
        world::World,
    },
    lifecycle::{Diary, assert_gone},
    raw_peer::outsider::Outsider,
};

#[tokio::test]
async fn a_shutdown_waits_for_tasks_and_then_calls_on_stop() {
    let world = World::new().await;
    let diary = Diary::default();
    let in_handler = diary.clone();
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
        .on_stop(diary.notes_stop())
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
    let plan = world.node("Node").on_stop(diary.notes_stop());
    let node = within(plan.node().shutdown_grace(Duration::from_secs(4)).start())
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
    let node = within(plan.node().shutdown_grace(Duration::from_secs(4)).start())
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

#[tokio::test]
async fn dropping_the_last_handle_shuts_the_node_down() {
    let world = World::new().await;
    let observer = Outsider::new(&world, "Observer").await;
    let diary = Diary::default();
    let plan = world.node("Node").on_stop(diary.notes_stop());
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
