//! Whom a node dials, and what it says when that takes too long.

use std::time::Duration;

use actr_lite::{CallOptions, Dest};
use tokio::net::TcpListener;

use crate::{
    harness::{Ask, World, start_server, within},
    raw_peer::Outsider,
};

/// How many nodes of a type a registry names at most when it is asked for any of them.
const NAMED_AT_ONCE: usize = 16;

#[tokio::test]
async fn every_node_of_a_type_can_be_called_by_its_id() {
    let world = World::new().await;
    let mut servers = Vec::new();
    for _ in 0..NAMED_AT_ONCE + 2 {
        servers.push(start_server(&world, "Server").await);
    }
    let client = world.node("Client").start().await;
    for (server, _) in &servers {
        let dest = Dest::actor(server.actor_id());
        within(client.context().call(&dest, Ask::default())).await.unwrap();
    }
}

#[tokio::test]
async fn a_node_that_answers_no_upgrade_is_named_with_the_step() {
    let world = World::new().await;
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = silent.local_addr().unwrap();
    let outsider = Outsider::listening(&world, "Silent", Some(address)).await;
    let client = world.node("Client").start().await;
    let dest = Dest::actor(outsider.id().clone());
    let options = CallOptions {
        timeout: Duration::from_secs(30),
        ..CallOptions::default()
    };
    let error = within(client.context().call_with(&dest, Ask::default(), options)).await;
    let error = error.unwrap_err().to_string();
    let cause = format!("cannot be reached: ws://{address}: no answer to the upgrade within 5 s");
    assert!(error.ends_with(&cause), "{error}");
}
