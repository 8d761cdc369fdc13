//! A node of ours and an official one call each other over the WebSocket lane, and get their replies.

use std::time::Duration;

use actr_lite::Dest;
use harness::{
    Deployment,
    peer::{self, registered, server_type},
    unused_port,
};
use interop::{
    OfficialNode, StreamServer,
    official_node::Settings,
    stream_client::{self, Caller},
    stream_server::{self, RegisterStream},
};
use protos::stream_server::RegisterStreamRequest;
use tokio::sync::mpsc;

#[tokio::test(flavor = "multi_thread")]
async fn an_official_node_answers_ours() {
    let deployment = Deployment::new();
    let (_registry, url) = deployment.start_registry();
    let settings = Settings {
        registry: url.parse().unwrap(),
        actr_type: stream_server::actr_type(),
        realm_id: 1,
        websocket_port: Some(unused_port()),
        service_spec: Some(stream_server::service_spec().unwrap()),
    };
    let (asked, mut asked_of_official) = mpsc::unbounded_channel();
    let official = OfficialNode::start(settings, StreamServer::Reports(asked))
        .await
        .unwrap();

    let ours = peer::caller(&deployment, &url).await;
    let ctx = ours.context();
    let found = ctx.discover(&server_type()).await.unwrap();
    assert_eq!(found.to_string(), official.id());
    let request = |message_count| RegisterStreamRequest {
        stream_id: "abcd1234".into(),
        message_count,
    };
    let dest = Dest::actor(found);

    // The first one too, though what comes right behind the upgrade is lost there; and each is served once.
    for message_count in 1..=100 {
        let answer = ctx.call(&dest, request(message_count)).await.unwrap();
        assert!(answer.success);
        assert_eq!(answer.message, "registered by an official node");
        let (caller, request) = asked_of_official.recv().await.unwrap();
        assert_eq!(caller.to_string_repr(), ours.actor_id().to_string());
        let expected = RegisterStream {
            stream_id: "abcd1234".into(),
            message_count,
        };
        assert_eq!(request, expected);
    }
    ours.shutdown().await;
    assert!(asked_of_official.try_recv().is_err(), "a call was served twice");
}

/// Before it dials, an official node tries for 30 s to reach the other one over WebRTC. A call waits as long, unless it is
/// told to wait longer.
const OFFICIAL_TIMEOUT: Duration = Duration::from_secs(120);

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes 30 s, in which an official node tries another way, and more on a busy machine: cargo test -- --ignored"]
async fn ours_answers_an_official_node_that_waits_long_enough() {
    let deployment = Deployment::new();
    let (_registry, url) = deployment.start_registry();
    let (asked, mut asked_of_ours) = mpsc::unbounded_channel();
    let ours = peer::server(&deployment, &url, move |request, ctx| {
        let told = asked.send((ctx.caller_id().cloned(), request));
        async move {
            told.unwrap();
            Ok(registered())
        }
    })
    .await;
    let settings = Settings {
        registry: url.parse().unwrap(),
        actr_type: stream_client::actr_type(),
        realm_id: 1,
        websocket_port: None,
        service_spec: None,
    };
    let official = OfficialNode::start(settings, Caller).await.unwrap();
    let ctx = official.actr().app_context().await;
    let dest = stream_client::find(&ctx).await.unwrap();
    for message_count in 1..=100 {
        let request = RegisterStream {
            stream_id: "abcd1234".into(),
            message_count,
        };
        let answer = stream_client::ask(&ctx, &dest, &request, OFFICIAL_TIMEOUT).await;
        assert_eq!(answer.unwrap(), registered());
        let (caller, request) = asked_of_ours.recv().await.unwrap();
        assert_eq!(caller.unwrap().to_string(), official.id());
        assert_eq!(
            (request.stream_id.as_str(), request.message_count),
            ("abcd1234", message_count)
        );
    }
    ours.shutdown().await;
}
