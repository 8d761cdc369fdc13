//! Whom a node dials, and what it says when that takes too long.

use std::{net::SocketAddr, time::Duration};

use actr_lite::{CallOptions, Dest};
use actr_lite_wire::proto::AIdCredential;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional},
    net::{TcpListener, TcpStream},
};

use crate::{
    harness::{
        address::free_address,
        deadline::within,
        frozen_clock::FrozenClock,
        messages::Ask,
        server::{start_plan, start_server},
        world::World,
    },
    raw_peer::{
        connection::dial,
        outsider::{Outsider, headers},
    },
};

/// How many nodes of a type a registry names at most when it is asked for any of them.
const NAMED_AT_ONCE: usize = 16;

/// How often somebody tries what a node limits, at most: more often than any limit allows.
const FLOOD: usize = 10_000;

#[tokio::test]
async fn every_node_of_a_type_can_be_called_by_its_id() {
    let world = World::new().await;
    let mut servers = Vec::new();
    for _ in 0..NAMED_AT_ONCE + 2 {
        servers.push(start_server(&world, "Server").await);
    }
    let client = world.node("Client").start().await;
    // The last one first: with each answer the registry begins at another node, so that in the order of their registration
    // all would be among those that it names.
    for (server, _) in servers.iter().rev() {
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

#[tokio::test]
async fn one_peer_does_not_connect_again_and_again() {
    let world = World::new().await;
    let (server, _contexts) = start_server(&world, "Server").await;
    let outsider = Outsider::new(&world, "Official").await;
    let neighbour = Outsider::new(&world, "Neighbour").await;
    let address = outsider.address_of(&server.actor_id()).await.unwrap();
    let clock = FrozenClock::start();
    let mut refusal = None;
    for _ in 0..FLOOD {
        match dial(address, &outsider.headers()).await {
            Ok(peer) => drop(peer),
            // So many at a time are another limit.
            Err((429, text)) if text.contains("max_connections_per_peer") => {}
            Err(refused) => {
                refusal = Some(refused);
                break;
            }
        }
    }
    drop(clock);
    let (status, text) = refusal.expect("no end of connections");
    assert_eq!(status, 429, "{text}");
    assert!(text.contains("Official:1.0.0 connects too often"), "{text}");
    let mut neighbour = dial(address, &neighbour.headers()).await.unwrap();
    neighbour.round_trip().await;
    assert_eq!(server.misbehaviour().total(), 0);
}

#[tokio::test]
async fn strangers_do_not_use_up_a_nodes_questions_to_its_registry() {
    let world = World::new().await;
    let (server, _contexts) = start_server(&world, "Server").await;
    let outsider = Outsider::new(&world, "Official").await;
    let address = outsider.address_of(&server.actor_id()).await.unwrap();
    let mut message = AIdCredential::from(outsider.identity.credential.clone());
    let clock = FrozenClock::start();
    let mut refusal = None;
    for _ in 0..FLOOD {
        // One that no registry ever had.
        message.key_id = message.key_id.wrapping_add(1);
        match dial(address, &headers(outsider.id(), &message.clone().into())).await {
            Err((401, _)) => {}
            Err(refused) => {
                refusal = Some(refused);
                break;
            }
            Ok(_) => panic!("a key is taken that nobody has"),
        }
    }
    drop(clock);
    let (status, text) = refusal.expect("no end of questions");
    assert_eq!(status, 429, "{text}");
    assert!(
        text.contains("address 127.0.0.1 shows credentials with unknown signing keys too often"),
        "{text}"
    );
    // A key that is known is not asked for.
    let mut known = dial(address, &outsider.headers()).await.unwrap();
    known.round_trip().await;
}

/// Tells the first who comes that it comes too often, and lets the others pass to `target`.
async fn busy_at_first(listener: TcpListener, target: SocketAddr) {
    let (mut first, _) = listener.accept().await.unwrap();
    let mut head = vec![0; 4096];
    assert!(first.read(&mut head).await.unwrap() > 0);
    let refusal = b"HTTP/1.1 429 Too Many Requests\r\nretry-after: 1\r\ncontent-length: 0\r\n\r\n";
    first.write_all(refusal).await.unwrap();
    drop(first);
    let (mut second, _) = listener.accept().await.unwrap();
    let mut onward = TcpStream::connect(target).await.unwrap();
    let _ = copy_bidirectional(&mut second, &mut onward).await;
}

#[tokio::test]
async fn a_call_waits_for_its_turn_where_too_many_dial() {
    let world = World::new().await;
    let (busy, address) = (TcpListener::bind("127.0.0.1:0").await.unwrap(), free_address());
    let plan = world
        .node("Server")
        .set(&format!("system.websocket.listen={address}"))
        .set(&format!(
            "system.websocket.advertised=ws://{}",
            busy.local_addr().unwrap()
        ));
    let (server, _contexts) = start_plan(plan).await;
    let busy = tokio::spawn(busy_at_first(busy, address));
    let client = world.node("Client").start().await;
    let dest = Dest::actor(server.actor_id());
    within(client.context().call(&dest, Ask::default())).await.unwrap();
    assert!(!busy.is_finished());
    busy.abort();
}
