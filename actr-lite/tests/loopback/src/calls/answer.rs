//! A call is answered, by a result or by an error that says why.

use actr_lite::{ActrError, CallOptions, Dest, ErrorCode};
use actr_lite_wire::record::DEFAULT_MAX_RECORD_LEN;
use bytes::Bytes;
use tokio::sync::mpsc;

use crate::{
    calls::ask,
    harness::{
        deadline::within,
        error_reply::remote_error,
        messages::{Answer, Ask, Garbled, Nowhere, Push, Secret},
        world::World,
    },
};

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
