//! Calls: answers, errors, timeouts, cancellation, and who may call what.

use std::{sync::Arc, time::Duration};

use actr_lite::{ActrError, CallOptions, CloseReason, Dest, ErrorCode};
use actr_lite_registry::client::{LinkConfig, RegistryLink};
use actr_lite_wire::record::DEFAULT_MAX_RECORD_LEN;
use bytes::Bytes;
use tokio::{
    net::TcpListener,
    sync::{Barrier, mpsc, oneshot},
    task::JoinSet,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::harness::{
    deadline::{until, within},
    error_reply::remote_error,
    messages::{Answer, Ask, Garbled, Nowhere, Push, Secret},
    pair::Pair,
    stream::{caller, stream_id},
    world::World,
};

fn ask(text: &str) -> Ask {
    Ask {
        text: text.into(),
        ..Ask::default()
    }
}

#[tokio::test]
async fn a_call_is_answered_and_the_handler_knows_who_called() {
    let world = World::new().await;
    let server = world
        .node("Server")
        .on(|request: Ask, ctx| async move {
            Ok(Answer {
                text: format!("{} from {:?}", request.text, ctx.caller_id().map(ToString::to_string)),
                data: request.data,
            })
        })
        .start()
        .await;
    let client = world.client().await;
    let ctx = client.context();
    let found = within(ctx.discover(server.actor_id().actr_type())).await.unwrap();
    assert_eq!(found, server.actor_id());
    let request = Ask {
        data: Bytes::from(vec![9; 1_000_000]),
        ..ask("hello")
    };
    let answer = within(ctx.call(&Dest::actor(found), request)).await.unwrap();
    assert_eq!(answer.text, format!("hello from {:?}", Some(ctx.self_id().to_string())));
    assert!(answer.data == vec![9; 1_000_000]);
}

#[tokio::test]
async fn hints_come_with_the_call_and_do_not_stay() {
    let world = World::new().await;
    let server = world
        .node("Server")
        .on(|_: Ask, ctx| async move {
            Ok(Answer::text(format!(
                "{:?} {:?}",
                ctx.metadata("resume-after"),
                ctx.metadata("other")
            )))
        })
        .start()
        .await;
    let client = world.client().await;
    let dest = Dest::actor(server.actor_id());
    let options = CallOptions {
        metadata: vec![("resume-after".into(), "7".into())],
        ..CallOptions::default()
    };
    let answer = within(client.context().call_with(&dest, ask(""), options.clone())).await;
    assert_eq!(answer.unwrap().text, "Some(\"7\") None");
    let answer = within(client.context().call(&dest, ask(""))).await;
    assert_eq!(answer.unwrap().text, "None None");
}

#[tokio::test]
async fn hints_come_with_a_local_call_too() {
    let world = World::new().await;
    let node = world
        .node("Server")
        .on(|_: Ask, ctx| async move { Ok(Answer::text(ctx.metadata("resume-after").unwrap_or("none"))) })
        .start()
        .await;
    let options = CallOptions {
        metadata: vec![("resume-after".into(), "7".into())],
        ..CallOptions::default()
    };
    assert_eq!(within(node.call_with(ask(""), options)).await.unwrap().text, "7");
}

#[tokio::test]
async fn every_failure_of_a_call_is_an_error_reply_with_its_code() {
    let world = World::new().await;
    let server = world
        .node("Server")
        .on(|request: Ask, _| async move {
            match request.text.as_str() {
                "not found" => Err(ActrError::new(ErrorCode::NotFound, "no such thing")),
                "own code" => Err(ActrError::new(ErrorCode::Other(77), "my own")),
                "huge" => Ok(Answer {
                    data: vec![0; DEFAULT_MAX_RECORD_LEN].into(),
                    ..Answer::default()
                }),
                text => panic!("{text}"),
            }
        })
        .on(|_: Push, _| -> std::future::Pending<Result<Answer, ActrError>> { panic!("before the future") })
        .on(|_: Secret, _| async { Ok(Answer::default()) })
        .start()
        .await;
    let client = world.client().await;
    let (ctx, dest) = (client.context(), Dest::actor(server.actor_id()));

    let error = within(ctx.call(&dest, ask("not found"))).await.unwrap_err();
    assert_eq!(
        remote_error(error, &dest, "open.Open.Ask"),
        (ErrorCode::NotFound, "no such thing".into())
    );
    let error = within(ctx.call(&dest, ask("own code"))).await.unwrap_err();
    assert_eq!(
        remote_error(error, &dest, "open.Open.Ask"),
        (ErrorCode::Other(77), "my own".into())
    );
    let error = within(ctx.call(&dest, ask("aaaah"))).await.unwrap_err();
    let (code, message) = remote_error(error, &dest, "open.Open.Ask");
    assert_eq!(code, ErrorCode::Internal);
    assert!(
        message.contains("open.Open.Ask") && message.contains("panicked"),
        "{message}"
    );
    let error = within(ctx.call(&dest, Push::default())).await.unwrap_err();
    assert_eq!(remote_error(error, &dest, "open.Open.Push").0, ErrorCode::Internal);
    let error = within(ctx.call(&dest, Nowhere::default())).await.unwrap_err();
    let (code, message) = remote_error(error, &dest, "open.Open.Nowhere");
    assert_eq!(code, ErrorCode::UnknownRoute);
    assert!(message.contains("open.Open.Nowhere"), "{message}");
    let error = within(ctx.call(&dest, Garbled { number: 1 })).await.unwrap_err();
    let (code, message) = remote_error(error, &dest, "open.Open.Ask");
    assert_eq!(code, ErrorCode::DecodeFailure);
    assert!(message.contains("open.Open.Ask"), "{message}");
    let error = within(ctx.call(&dest, Secret::default())).await.unwrap_err();
    let (code, message) = remote_error(error, &dest, "hidden.Hidden.Secret");
    assert_eq!(code, ErrorCode::PermissionDenied);
    assert!(
        message.contains("hidden.Hidden.Secret") && message.contains("not exported"),
        "{message}"
    );
    let error = within(ctx.call(&dest, ask("huge"))).await.unwrap_err();
    let (code, message) = remote_error(error, &dest, "open.Open.Ask");
    assert_eq!(code, ErrorCode::InvalidArgument);
    assert!(message.contains("record limit"), "{message}");

    // A request that is too long does not leave at all, and nothing above has cost the connection.
    let huge = Ask {
        data: vec![0; DEFAULT_MAX_RECORD_LEN].into(),
        ..Ask::default()
    };
    let error = within(ctx.call(&dest, huge)).await.unwrap_err();
    assert!(matches!(error, ActrError::TooLong { .. }), "{error:?}");
    let error = within(ctx.call(&dest, ask("not found"))).await.unwrap_err();
    assert_eq!(error.code(), ErrorCode::NotFound);
}

#[tokio::test]
async fn the_access_list_admits_only_whom_it_allows() {
    let world = World::new().await;
    let rules = r#"acl.rules=[
        { permission = "allow", types = ["acme+Friend", "acme+Fallen"] },
        { permission = "deny", types = ["acme+Fallen"] },
    ]"#;
    let server = world.node("Server").echo().set(rules).start().await;
    let dest = Dest::actor(server.actor_id());
    let friend = world.node("Friend").hidden().start().await;
    // The registry does not name the server to the others: a connection of the server's own lets them try.
    let answer = within(friend.context().call(&dest, ask("hi"))).await.unwrap();
    assert_eq!(answer.text, "hi");
    for name in ["Fallen", "Stranger"] {
        let other = world.node(name).start().await;
        let mut opened = server
            .context()
            .open_stream(&Dest::actor(other.actor_id()), stream_id("acl"))
            .await
            .unwrap();
        opened.send("a connection").await.unwrap();
        until(|| async { (other.unknown_frames() > 0).then_some(()) }).await;
        let error = within(other.context().call(&dest, ask("hi"))).await.unwrap_err();
        let (code, message) = remote_error(error, &dest, "open.Open.Ask");
        assert_eq!(code, ErrorCode::PermissionDenied);
        assert!(
            message.contains("the [acl] of") && message.contains("open.Open.Ask"),
            "{message}"
        );
    }
    // The list is about others.
    assert_eq!(within(server.call(ask("me"))).await.unwrap().text, "me");
}

#[tokio::test]
async fn local_calls_reach_services_that_are_not_exported() {
    let world = World::new().await;
    let (told, mut tells) = mpsc::unbounded_channel();
    let node = world
        .node("Server")
        .on(move |request: Secret, ctx| {
            told.send(request.number).unwrap();
            async move {
                match request.text.as_str() {
                    "panic" => panic!("as asked"),
                    text => Ok(Answer::text(format!("{text} {:?}", ctx.caller_id()))),
                }
            }
        })
        .start()
        .await;
    let secret = |text: &str, number| Secret {
        text: text.into(),
        number,
        ..Secret::default()
    };
    assert_eq!(within(node.call(secret("a", 1))).await.unwrap().text, "a None");
    let through_context = node.context().call(&Dest::Local, secret("b", 2));
    assert_eq!(within(through_context).await.unwrap().text, "b None");
    within(node.tell(secret("c", 3))).await.unwrap();
    for number in 1..=3 {
        assert_eq!(tells.recv().await, Some(number));
    }
    let error = within(node.call(secret("panic", 4))).await.unwrap_err();
    assert_eq!(error.code(), ErrorCode::Internal);
    let error = within(node.call(Nowhere::default())).await.unwrap_err();
    assert_eq!(error.code(), ErrorCode::UnknownRoute);
}

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

#[tokio::test]
async fn a_told_message_is_handled() {
    let world = World::new().await;
    let (told, mut tells) = mpsc::unbounded_channel();
    let server = world
        .node("Server")
        .on(move |request: Ask, ctx| {
            told.send((request.text, ctx.caller_id().cloned())).unwrap();
            async { Err(ActrError::internal("nobody hears this")) }
        })
        .start()
        .await;
    let client = world.client().await;
    let dest = Dest::actor(server.actor_id());
    within(client.context().tell(&dest, ask("fyi"))).await.unwrap();
    let expected = ("fyi".to_string(), Some(client.actor_id()));
    assert_eq!(within(tells.recv()).await, Some(expected));
    let error = within(server.tell(ask("fyi"))).await.unwrap_err();
    assert_eq!(error.code(), ErrorCode::Internal);
}

#[tokio::test]
async fn a_server_calls_back_a_client_that_nobody_can_dial() {
    let mut pair = Pair::new().await;
    let ctx = pair.asked().await;
    let dest = caller(&ctx);
    let answer = within(ctx.call(&dest, ask("back"))).await.unwrap();
    assert_eq!(answer.text, "back");
    // Also from outside of the handler, as long as the connection stands.
    let answer = within(pair.server.context().call(&dest, ask("later"))).await.unwrap();
    assert_eq!(answer.text, "later");
    within(pair.client.shutdown()).await;
    let error = within(pair.server.context().call(&dest, ask("gone")))
        .await
        .unwrap_err();
    assert!(matches!(error, ActrError::Discover(_)), "{error:?}");
}

#[tokio::test]
async fn a_handler_may_call_back_its_caller_while_that_waits() {
    let world = World::new().await;
    let server = world
        .node("Server")
        .on(|_: Push, ctx| async move { ctx.call(&caller(&ctx), ask("nested")).await })
        .start()
        .await;
    let client = world.node("Client").hidden().echo().start().await;
    let dest = Dest::actor(server.actor_id());
    let call = client.context().call(&dest, Push::default());
    assert_eq!(within(call).await.unwrap().text, "nested");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_calls_at_once_are_all_answered() {
    const CALLS: usize = 1000;
    let world = World::new().await;
    // Nobody is answered before all are there.
    let all = Arc::new(Barrier::new(CALLS));
    let server = world
        .node("Server")
        .on(move |request: Ask, _| {
            let all = Arc::clone(&all);
            async move {
                all.wait().await;
                Ok(Answer::text(request.text))
            }
        })
        .start()
        .await;
    let client = world.client().await;
    let mut calls = JoinSet::new();
    for number in 0..CALLS {
        let (ctx, dest) = (client.context().clone(), Dest::actor(server.actor_id()));
        calls.spawn(async move {
            let text = number.to_string();
            assert_eq!(ctx.call(&dest, ask(&text)).await.unwrap().text, text);
        });
    }
    within(calls.join_all()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_nodes_can_call_each_other_at_the_same_time() {
    let world = World::new().await;
    for round in 0..5 {
        let left = world.node(&format!("Left{round}")).echo().start().await;
        let right = world.node(&format!("Right{round}")).echo().start().await;
        let (to_left, to_right) = (Dest::actor(left.actor_id()), Dest::actor(right.actor_id()));
        let mut calls = JoinSet::new();
        for _ in 0..10 {
            for (node, dest) in [(&left, &to_right), (&right, &to_left)] {
                let (ctx, dest) = (node.context().clone(), dest.clone());
                calls.spawn(async move { ctx.call(&dest, ask("x")).await.unwrap() });
            }
        }
        within(calls.join_all()).await;
    }
}
