//! Who may call whom, and back.

use actr_lite::{ActrError, Dest, ErrorCode};
use tokio::sync::mpsc;

use crate::{
    calls::ask,
    harness::{
        deadline::{until, within},
        error_reply::remote_error,
        messages::{Answer, Nowhere, Push, Secret},
        pair::Pair,
        stream::{caller, stream_id},
        world::World,
    },
};

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
