//! How many connections there may be, and how long one may take to come about.

use std::time::Duration;

use actr_lite::{ActrError, Dest};
use actr_lite_registry::Options;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use crate::{
    harness::{
        deadline::{until, within},
        messages::Ask,
        world::World,
    },
    limits::echo,
    raw_peer::{connection::dial, outsider::Outsider},
    stream_server::server::server_type,
};

#[tokio::test]
async fn a_peers_connection_over_its_limit_is_refused() {
    let world = World::new().await;
    let server = world
        .node("Server")
        .echo()
        .set("system.limits.max_connections_per_peer=2");
    let server = server.start().await;
    let client = world.client().await;
    let id = server.actor_id();
    let connect = || within(client.context().with_own_connection(&id));
    let first = connect().await.unwrap();
    let second = connect().await.unwrap();
    let error = connect().await.err().unwrap();
    assert!(matches!(error, ActrError::Unreachable { .. }), "{error:?}");
    let text = error.to_string();
    for part in [
        "(429 ",
        "2 connections of this peer",
        "system.limits.max_connections_per_peer",
    ] {
        assert!(text.contains(part), "{text}");
    }
    let other = world.node("Other").hidden().start().await;
    echo(&other, &Dest::actor(id.clone())).await.unwrap();
    within(second.call(&id, Ask::default())).await.unwrap();
    drop(first);
    until(|| async { connect().await.ok() }).await;
}

#[tokio::test]
async fn a_node_without_a_place_at_the_registry_names_the_limit() {
    let options = Options {
        max_connections: 1,
        ..Options::default()
    };
    let world = World::with(options).await;
    let first = world.node("First").hidden().start().await;
    until(|| async {
        let answered = first.context().discover(&server_type()).await;
        matches!(answered, Err(ActrError::Discover(_))).then_some(())
    })
    .await;
    let second = world.node("Second").hidden().node();
    let error = within(second.register_timeout(Duration::from_secs(1)).start()).await;
    let text = error.err().unwrap().to_string();
    for part in [
        "could not be registered within 1",
        "has 1 connections, its limit",
        "max_connections",
    ] {
        assert!(text.contains(part), "{text}");
    }
}

#[tokio::test]
async fn a_connection_over_the_nodes_limit_is_refused() {
    let world = World::new().await;
    let server = world.node("Server").echo().set("system.limits.max_connections=1");
    let server = server.start().await;
    let outsider = Outsider::new(&world, "Outsider").await;
    let address = outsider.address_of(&server.actor_id()).await.unwrap();
    let mut first = outsider.dial(&server).await;
    first.round_trip().await;
    let (status, text) = dial(address, &outsider.headers()).await.err().unwrap();
    assert!(
        status == 429 && text.contains("system.limits.max_connections"),
        "{status} {text}"
    );
    first.round_trip().await;
    drop(first);
    until(|| async { dial(address, &outsider.headers()).await.ok() }).await;
}

#[tokio::test]
async fn an_upgrade_that_trickles_in_is_cut_when_it_takes_too_long() {
    let world = World::new().await;
    let server = world.node("Server").echo().set("system.limits.header_timeout=50ms");
    let server = server.start().await;
    let outsider = Outsider::new(&world, "Outsider").await;
    let mut open = outsider.dial(&server).await;
    let address = outsider.address_of(&server.actor_id()).await.unwrap();
    let mut slow = TcpStream::connect(address).await.unwrap();
    slow.write_all(b"GET / HTTP/1.1\r\nhost: localhost\r\n").await.unwrap();
    let trickle = async {
        // Never a whole head, always a further byte: only the time since its beginning can end it.
        while slow.write_all(b"x").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    within(trickle).await;
    let mut silent = TcpStream::connect(address).await.unwrap();
    let mut answer = String::new();
    let _ = within(silent.read_to_string(&mut answer)).await;
    assert!(!answer.starts_with("HTTP/1.1 1"), "{answer}");
    open.round_trip().await;
}
