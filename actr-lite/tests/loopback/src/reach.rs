//! A node that starts can be reached as it says, or it says why not and does not start.

use std::net::TcpListener;

use actr_lite::Dest;
use actr_lite_dev_certs::LOCAL_HOSTS;

use crate::harness::{
    address::free_address, deadline::within, messages::Ask, node_plan::NodePlan, server::start_plan, world::World,
};

/// Hosts a registry of its own at `url`.
fn hosting(world: &World, url: &str) -> NodePlan {
    world
        .node("Host")
        .set("system.signaling.embedded=true")
        .set(&format!("system.signaling.url={url}"))
}

async fn refused(plan: NodePlan) -> String {
    match within(plan.node().start()).await {
        Ok(_) => panic!("it has started"),
        Err(error) => error.to_string(),
    }
}

#[tokio::test]
async fn a_registry_listens_elsewhere_than_it_is_dialled() {
    let world = World::new().await;
    let port = free_address().port();
    let url = format!("ws://127.0.0.1:{port}/signaling/ws");
    let host = hosting(&world, &url)
        .set(&format!("system.signaling.listen=0.0.0.0:{port}"))
        .set("system.insecure=true");
    let (server, _asked) = start_plan(host).await;
    let client = world
        .node("Client")
        .set(&format!("system.signaling.url={url}"))
        .start()
        .await;
    let dest = Dest::actor(server.actor_id());
    within(client.context().call(&dest, Ask::default())).await.unwrap();
}

#[tokio::test]
async fn a_certificate_that_cannot_fit_the_own_url_ends_the_start() {
    let world = World::new().await;
    world.certify();
    let error = refused(hosting(&world, "wss://node.example:0/signaling/ws").with_tls()).await;
    assert!(
        error.starts_with(
            "[system.signaling] url: nobody gets to the registry that this node is to host at wss://node.example:0"
        ) && error
            .contains("not for node.example: dial it by one of its names, or give it a certificate for node.example"),
        "{error}"
    );
    assert!(LOCAL_HOSTS.contains(&"localhost"));
    let (server, _asked) = start_plan(hosting(&world, "wss://localhost:0/signaling/ws").with_tls()).await;
    server.shutdown().await;
}

#[tokio::test]
async fn a_certificate_that_cannot_fit_the_data_lane_ends_the_start() {
    let world = World::new().await;
    world.certify();
    let error = refused(world.node("Host").with_tls().set("system.websocket.listen=127.0.0.9:0")).await;
    assert!(
        error.starts_with(
            "[system.websocket] listen: nobody gets to the data lane at 127.0.0.9: its certificate is for "
        ) && error.contains("advertised = "),
        "{error}"
    );
}

#[tokio::test]
async fn a_port_that_is_taken_on_another_family_is_taken() {
    let world = World::new().await;
    let Ok(other) = TcpListener::bind("[::1]:0") else {
        return;
    };
    let port = other.local_addr().unwrap().port();
    let plan = hosting(&world, &format!("ws://127.0.0.1:{port}/signaling/ws"))
        .set(&format!("system.signaling.listen=0.0.0.0:{port}"))
        .set("system.insecure=true");
    let error = refused(plan).await;
    assert!(
        error.contains(&format!(":{port}: another program uses it; stop it")),
        "{error}"
    );
    let plan = world
        .node("Host")
        .set(&format!("system.websocket.listen=0.0.0.0:{port}"))
        .set(&format!("system.websocket.advertised=ws://127.0.0.1:{port}"))
        .set("system.insecure=true");
    let error = refused(plan).await;
    let remedy = format!(
        "the data lane cannot listen on [::]:{port}: another program uses it; stop it, or set [system.websocket]"
    );
    assert!(error.contains(&remedy), "{error}");
}
