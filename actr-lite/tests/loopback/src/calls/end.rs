//! A call ends at both ends, by its timeout, or because one of them wants no more or is gone.

use std::time::Duration;

use actr_lite::{ActrError, CallOptions, CloseReason, Dest, ErrorCode};
use actr_lite_registry_client::{LinkConfig, RegistryLink};
use tokio::{
    net::TcpListener,
    sync::{mpsc, oneshot},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    calls::ask,
    harness::{deadline::within, error_reply::remote_error, messages::Ask, pair::Pair, world::World},
};

/// Says so when it is dropped.
struct Guard(Option<oneshot::Sender<()>>);

impl Drop for Guard {
    fn drop(&mut self) {
        let _ = self.0.take().unwrap().send(());
    }
}

/// A node whose [`Ask`] never ends; each call's start, with what resolves when its handler was dropped.
async fn endless(world: &World) -> (actr_lite::ActrRef, mpsc::UnboundedReceiver<oneshot::Receiver<()>>) {
    let (started, starts) = mpsc::unbounded_channel();
    let server = world
        .node("Endless")
        .on(move |_: Ask, _| {
            let (dropped, was_dropped) = oneshot::channel();
            let guard = Guard(Some(dropped));
            started.send(was_dropped).unwrap();
            async move {
                let _guard = guard;
                std::future::pending().await
            }
        })
        .start()
        .await;
    (server, starts)
}

#[tokio::test]
async fn a_timeout_ends_the_call_at_both_ends() {
    let world = World::new().await;
    let (server, mut starts) = endless(&world).await;
    let client = world.client().await;
    let after = Duration::from_millis(300);
    let options = CallOptions {
        timeout: after,
        ..CallOptions::default()
    };
    for dest in [Dest::actor(server.actor_id()), Dest::Local] {
        let ctx = match dest {
            Dest::Local => server.context(),
            _ => client.context(),
        };
        let error = within(ctx.call_with(&dest, ask(""), options.clone()))
            .await
            .unwrap_err();
        match error {
            // Both ends watch the clock: either may be first.
            ActrError::TimedOut {
                dest: to,
                route,
                after: limit,
            } => {
                assert_eq!((to, route.as_str(), limit), (dest, "open.Open.Ask", after));
            }
            error => assert_eq!(remote_error(error, &dest, "open.Open.Ask").0, ErrorCode::TimedOut),
        }
        let dropped = starts.recv().await.unwrap();
        within(dropped).await.unwrap();
    }
}

#[tokio::test]
async fn a_call_with_the_longest_timeout_is_answered() {
    let pair = Pair::new().await;
    let options = CallOptions {
        timeout: Duration::MAX,
        ..CallOptions::default()
    };
    let answer = within(pair.client.context().call_with(&pair.dest(), ask("patient"), options)).await;
    assert_eq!(answer.unwrap().text, "patient");
}

#[tokio::test]
async fn the_timeout_covers_connecting_too() {
    let world = World::new().await;
    // It takes connections and says nothing.
    let mute = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
    let url = world.registry_url().parse().unwrap();
    let mut config = LinkConfig::new(url, "acme+Mute".parse().unwrap(), 1);
    config.ws_address = Some(format!("ws://{}", mute.local_addr().unwrap()));
    let link = RegistryLink::spawn(config, &tasks, stop.clone());
    let dest = Dest::actor(link.connected().await.unwrap().actor_id);
    let client = world.client().await;
    let options = CallOptions {
        timeout: Duration::from_millis(50),
        ..CallOptions::default()
    };
    let error = within(client.context().call_with(&dest, ask(""), options))
        .await
        .unwrap_err();
    // Nobody was asked: it is not the callee that has not answered.
    assert!(matches!(error, ActrError::Unreachable { .. }), "{error:?}");
    let expected = "no connection within 50 ms: still waiting for the answer to the upgrade after ";
    assert!(error.to_string().contains(expected), "{error}");
}

#[tokio::test]
async fn a_dropped_call_drops_its_handler() {
    let world = World::new().await;
    let (server, mut starts) = endless(&world).await;
    let client = world.client().await;
    let remote = Dest::actor(server.actor_id());
    for (ctx, dest) in [(client.context(), &remote), (server.context(), &Dest::Local)] {
        let call = ctx.call(dest, ask(""));
        let mut dropped = tokio::select! {
            answer = call => panic!("{answer:?}"),
            started = starts.recv() => started.unwrap(),
        };
        within(&mut dropped).await.unwrap();
    }
}

#[tokio::test]
async fn a_handler_is_dropped_when_its_caller_dies() {
    let world = World::new().await;
    let (server, mut starts) = endless(&world).await;
    let client = world.node("Client").hidden().start_mortal().await;
    let (ctx, dest) = (client.node.context().clone(), Dest::actor(server.actor_id()));
    client.spawn(async move { ctx.call(&dest, ask("")).await.map(drop) });
    let dropped = within(starts.recv()).await.unwrap();
    client.kill();
    within(dropped).await.unwrap();
}

#[tokio::test]
async fn a_call_to_a_peer_that_dies_fails_at_once() {
    let world = World::new().await;
    let (started, mut starts) = mpsc::unbounded_channel();
    let server = world
        .node("Mortal")
        .on(move |_: Ask, _| {
            started.send(()).unwrap();
            std::future::pending()
        })
        .start_mortal()
        .await;
    let client = world.client().await;
    let server_id = server.node.actor_id();
    let (ctx, dest) = (client.context().clone(), Dest::actor(server_id.clone()));
    let call = tokio::spawn(async move { ctx.call(&dest, ask("")).await });
    within(starts.recv()).await.unwrap();
    server.kill();
    match within(call).await.unwrap().unwrap_err() {
        ActrError::PeerGone {
            peer,
            reason: CloseReason::Lost(_),
        } => assert_eq!(peer, server_id),
        error => panic!("{error:?}"),
    }
    // The registry may still name it, but nobody answers there.
    let error = within(client.context().call(&Dest::actor(server_id), ask("")))
        .await
        .unwrap_err();
    assert_eq!(error.code(), ErrorCode::ConnectionNotReady, "{error:?}");
}
