//! A refused caller gets the reason and its code at once, and nothing else is disturbed.

use std::sync::mpsc;

use actr_lite::{ActrError, Dest, ErrorCode};
use harness::{
    Deployment, Signal, Summary, WAIT_TIMEOUT,
    peer::{self, server_type},
};
use protos::{
    stream_client::StartStreamRequest,
    stream_server::{RegisterStreamRequest, RegisterStreamResponse},
};

const START_STREAM: &str = "stream_client.LocalStreamService.StartStream";

#[track_caller]
fn assert_not_exported(error: &ActrError) {
    assert_eq!(error.code(), ErrorCode::PermissionDenied, "{error}");
    assert!(error.to_string().contains(START_STREAM), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_called_server_cannot_call_a_local_service() {
    let deployment = Deployment::new();
    let (_registry, url) = deployment.start_registry();
    let (refusals, refused) = mpsc::channel();
    let _server = peer::server(&deployment, &url, move |_, ctx| {
        let refusals = refusals.clone();
        async move {
            let caller = Dest::actor(ctx.caller_id().unwrap().clone());
            refusals
                .send(ctx.call(&caller, StartStreamRequest { message_count: 1 }).await)
                .unwrap();
            Ok(RegisterStreamResponse {
                success: false,
                message: "seen enough".into(),
            })
        }
    })
    .await;
    let client = deployment.client(&url, 10).run();
    assert_not_exported(&refused.recv_timeout(WAIT_TIMEOUT).unwrap().unwrap_err());
    client.assert_fails_with(&["seen enough"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_discovers_a_client_cannot_call_its_service() {
    let deployment = Deployment::new();
    let (_registry, url) = deployment.start_registry();
    // Visible to all, and there as long as it waits for a server.
    let client = deployment
        .client(&url, 10)
        .config("system.discovery.visible", true)
        .arg("--json")
        .spawn();
    client.wait_for_line("retrying for up to ", WAIT_TIMEOUT);
    let stranger = peer::caller(&deployment, &url).await;
    let ctx = stranger.context();
    let found = ctx.discover(&"acme+StreamEchoClient".parse().unwrap()).await.unwrap();
    let answer = ctx
        .call(&Dest::actor(found), StartStreamRequest { message_count: 1 })
        .await;
    assert_not_exported(&answer.unwrap_err());

    // It goes on waiting as if nothing had happened.
    let _server = deployment.server_at(&url).spawn();
    Summary::of_success(&client.finish(), 10);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_means_nothing_is_refused_with_what_is_wrong() {
    let deployment = Deployment::new();
    let (server, url) = deployment.start_server(&[]);
    let caller = peer::caller(&deployment, &url).await;
    let ctx = caller.context();
    let dest = ctx.discover(&server_type()).await.unwrap();
    for (stream_id, message_count, expected) in [("abcd1234", -1, "message_count"), ("", 1, "stream_id")] {
        let request = RegisterStreamRequest {
            stream_id: stream_id.into(),
            message_count,
        };
        let error = ctx.call(&dest, request).await.unwrap_err();
        assert_eq!(error.code(), ErrorCode::InvalidArgument, "{error}");
        assert!(error.to_string().contains(expected), "{error}");
    }
    assert!(server.lines_with("sending").is_empty());
    Summary::of_success(&deployment.client(&url, 3).arg("--json").run(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_route_that_nobody_serves_is_refused() {
    let deployment = Deployment::new();
    let (_server, url) = deployment.start_server(&[]);
    let caller = peer::caller(&deployment, &url).await;
    let ctx = caller.context();
    let dest = ctx.discover(&server_type()).await.unwrap();
    let error = ctx
        .call(&dest, StartStreamRequest { message_count: 1 })
        .await
        .unwrap_err();
    assert_eq!(error.code(), ErrorCode::UnknownRoute, "{error}");
    assert!(error.to_string().contains(START_STREAM), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_stream_with_the_same_id_is_refused() {
    let deployment = Deployment::new();
    let (server, url) = deployment.start_server(&["--interval", "10ms"]);
    let caller = peer::caller(&deployment, &url).await;
    let ctx = caller.context();
    let dest = ctx.discover(&server_type()).await.unwrap();
    let request = |message_count| RegisterStreamRequest {
        stream_id: "twice123".into(),
        message_count,
    };

    let mut registration = ctx.register_stream("twice123".parse().unwrap(), &dest, |_| {}).unwrap();
    assert!(ctx.call(&dest, request(1_000_000)).await.unwrap().success);
    // It may be asked for again a little later, as a receiver does that resumes it.
    let second = ctx.call(&dest, request(5)).await.unwrap_err();
    assert_eq!(second.code(), ErrorCode::Unavailable, "{second}");
    assert!(second.to_string().contains("twice123"), "{second}");

    registration.unregister();
    registration.ended().await;
    server.wait_for_line("stream twice123: ended after ", WAIT_TIMEOUT);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_error_of_a_servers_handler_reaches_the_user_at_once() {
    let deployment = Deployment::new();
    let (_registry, url) = deployment.start_registry();
    let _server = peer::server(&deployment, &url, |_, _| async {
        Err(ActrError::internal("the disk is on fire"))
    })
    .await;
    // Had the answer not come, the client would still wait when the test's own timeout is over.
    let client = deployment.client(&url, 10).args(["--timeout", "1h"]).run();
    client.assert_fails_with(&["the disk is on fire"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_does_not_answer_times_out() {
    let deployment = Deployment::new();
    let (_registry, url) = deployment.start_registry();
    let server = peer::server(&deployment, &url, |_, _| std::future::pending()).await;
    let client = deployment.client(&url, 10).args(["--timeout", "1s"]).run();
    // It was found, so "no server" would mislead: the error names it.
    client.assert_fails_with(&[&server.actor_id().to_string()]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handler_panic_is_an_error_for_its_caller_only() {
    let deployment = Deployment::new();
    let (_registry, url) = deployment.start_registry();
    let _server = peer::server(&deployment, &url, |request, _| async move {
        assert!(request.message_count == 0, "a count that this handler panics on");
        Ok(peer::registered())
    })
    .await;
    let client = deployment.client(&url, 10).args(["--timeout", "1h"]).run();
    client.assert_fails_with(&["panic"]);

    let caller = peer::caller(&deployment, &url).await;
    let dest = Dest::actor(caller.context().discover(&server_type()).await.unwrap());
    let request = RegisterStreamRequest {
        stream_id: "harmless".into(),
        message_count: 0,
    };
    assert!(caller.context().call(&dest, request).await.unwrap().success);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_is_stopped_leaves_its_registry() {
    let deployment = Deployment::new();
    let (registry, url) = deployment.start_registry();
    let client = deployment
        .client(&url, 10)
        .config("system.discovery.visible", true)
        .spawn();
    client.wait_for_line("retrying for up to ", WAIT_TIMEOUT);
    let stranger = peer::caller(&deployment, &url).await;
    let client_type = "acme+StreamEchoClient".parse().unwrap();
    stranger.context().discover(&client_type).await.unwrap();
    client.signal(Signal::TERM);
    client.finish().assert_fails_with(&["SIGTERM"]);
    let error = stranger.context().discover(&client_type).await.unwrap_err();
    assert_eq!(error.code(), ErrorCode::DependencyNotFound, "{error}");
    assert!(registry.is_running());
}
