//! Whoever may do nothing takes nobody's place.

use actr_lite::Rpc as _;
use actr_lite_wire::{envelope::Envelope, error_code::ErrorCode};
use prost::Message as _;

use crate::{
    harness::{
        deadline::{until, within},
        messages::{Nowhere, Push, Secret},
        waiting_server::waiting_server,
        world::World,
    },
    raw_peer::{connection::dial, outsider::Outsider},
};

#[tokio::test]
async fn peers_of_another_realm_cannot_take_all_connections() {
    let world = World::new().await;
    let acl = r#"acl.rules=[{ permission = "allow", types = ["acme+Foreign", "acme+Own"], realm = "*" }]"#;
    let plan = world
        .node("Server")
        .echo()
        .set(acl)
        .set("system.limits.max_connections=16");
    let server = plan.start().await;
    let own = Outsider::new(&world, "Own").await;
    let address = own.address_of(&server.actor_id()).await.unwrap();
    let mut held = Vec::new();
    for realm in [2, 2, 3, 4, 5, 6] {
        let foreign = Outsider::in_realm(&world, "Foreign", realm).await;
        let refusal = loop {
            match dial(address, &foreign.headers()).await {
                Ok(peer) => held.push(peer),
                Err((status, text)) => break (status, text),
            }
        };
        assert!(
            refusal.0 == 429 && refusal.1.contains("system.limits.max_"),
            "{refusal:?}"
        );
    }
    assert_eq!(held.len(), 8, "half of all");
    own.dial(&server).await.round_trip().await;
}

#[tokio::test]
async fn whom_the_list_denies_uses_up_nothing() {
    let world = World::new().await;
    let acl = r#"acl.rules=[{ permission = "allow", types = ["acme+Own"] }]"#;
    let plan = world
        .node("Server")
        .echo()
        .set(acl)
        .set("system.limits.max_connections=1");
    let server = plan.start().await;
    let own = Outsider::new(&world, "Own").await;
    let address = own.address_of(&server.actor_id()).await.unwrap();
    for realm in [1, 2, 3, 4, 5, 6, 7] {
        let denied = Outsider::in_realm(&world, "Denied", realm).await;
        for _ in 0..3 {
            assert_eq!(dial(address, &denied.headers()).await.err().unwrap().0, 403);
        }
    }
    own.dial(&server).await.round_trip().await;
}

#[tokio::test]
async fn a_call_that_may_not_be_made_takes_no_place() {
    let world = World::new().await;
    let (plan, mut contexts) = waiting_server(&world);
    let server = plan.set("system.limits.max_calls_per_peer=1").start().await;
    let outsider = Outsider::new(&world, "Own").await;
    let mut peer = outsider.dial_extended(&server).await;
    peer.ask(Push::ROUTE, Push::default().encode_to_vec()).await;
    within(contexts.recv()).await.unwrap();
    // The only place is taken, and still it is not the limit that they meet.
    for route in [Nowhere::ROUTE, Secret::ROUTE] {
        let request_id = peer.ask(route, Vec::new()).await;
        let (_, body) = peer.record().await;
        let Envelope::Response {
            request_id: id,
            result: Err(reply),
            ..
        } = Envelope::decode(body).unwrap()
        else {
            panic!("it was served");
        };
        assert_eq!(id, request_id);
        assert!(
            matches!(reply.code, ErrorCode::UnknownRoute | ErrorCode::PermissionDenied),
            "{reply}"
        );
    }
}

#[tokio::test]
async fn a_kept_error_keeps_no_connection_open() {
    let world = World::new().await;
    let server = world.node("Server").echo().start().await;
    let client = world.client().await;
    let mut errors = Vec::new();
    for _ in 0..3 {
        let own = within(client.context().with_own_connection(&server.actor_id()))
            .await
            .unwrap();
        errors.push(
            within(own.call(&server.actor_id(), Nowhere::default()))
                .await
                .unwrap_err(),
        );
        drop(own);
    }
    // With one place left for the client, its connections have to be gone.
    let tight = world
        .node("Tight")
        .echo()
        .set("system.limits.max_connections_per_peer=1");
    let tight = tight.start().await;
    for _ in 0..3 {
        let own = until(|| async { client.context().with_own_connection(&tight.actor_id()).await.ok() }).await;
        errors.push(
            within(own.call(&tight.actor_id(), Nowhere::default()))
                .await
                .unwrap_err(),
        );
    }
    assert_eq!(errors.len(), 6);
}
