//! Nodes of both runtimes register with this workspace's registry, and find each other there.

use std::collections::BTreeSet;

use actr_framework::Context as _;
use harness::{
    Deployment,
    peer::{self, registered, server_type},
    unused_port,
};
use interop::{
    OfficialNode, StreamServer,
    official_node::Settings,
    stream_client::{self, Caller},
    stream_server,
};
use tokio::sync::mpsc;

#[tokio::test(flavor = "multi_thread")]
async fn an_official_node_finds_one_of_ours() {
    let deployment = Deployment::new();
    let (_registry, url) = deployment.start_registry();
    let ours = peer::server(&deployment, &url, |_, _| async { Ok(registered()) }).await;
    let settings = Settings {
        registry: url.parse().unwrap(),
        actr_type: stream_client::actr_type(),
        realm_id: 1,
        websocket_port: None,
        service_spec: None,
    };
    let official = OfficialNode::start(settings, Caller).await.unwrap();
    let ctx = official.actr().app_context().await;
    let found = ctx.discover_route_candidate(&stream_server::actr_type()).await.unwrap();
    assert_eq!(found.to_string_repr(), ours.actor_id().to_string());
    ours.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn finds_official_nodes_with_and_without_an_address() {
    let deployment = Deployment::new();
    let (_registry, url) = deployment.start_registry();
    let mut official = Vec::new();
    for websocket_port in [None, Some(unused_port())] {
        let settings = Settings {
            registry: url.parse().unwrap(),
            actr_type: stream_server::actr_type(),
            realm_id: 1,
            websocket_port,
            service_spec: Some(stream_server::service_spec().unwrap()),
        };
        let (asked, _) = mpsc::unbounded_channel();
        official.push(
            OfficialNode::start(settings, StreamServer::Reports(asked))
                .await
                .unwrap(),
        );
    }
    let ours = peer::caller(&deployment, &url).await;
    // It compares their contract, as the published software calculates it, with its own lock file.
    let found = ours.context().discover_all(&server_type()).await.unwrap();
    // In whichever order: how well they can serve, by what they say, counts first.
    let found: BTreeSet<String> = found.iter().map(ToString::to_string).collect();
    assert_eq!(found, official.iter().map(OfficialNode::id).collect());
    ours.shutdown().await;
}
