//! A node and its registry: hosted in the node, restarted, or told of nobody.

use actr_lite::{ActrRef, Dest, ErrorCode, StreamEnd};
use actr_lite_registry::{Options, Registry};
use actr_lite_registry_client::LinkState;

use crate::{
    harness::{
        deadline::{until, within},
        messages::{Ask, Secret},
        pair::Pair,
        stream::{caller, stream_id},
        world::World,
    },
    raw_peer::outsider::Outsider,
};

#[tokio::test]
async fn a_node_may_host_the_registry_itself() {
    let world = World::new().await;
    let host = world.node("Host").echo().set("system.signaling.embedded=true");
    let guest = world.node("Guest").hidden();
    // Its place is taken by the host's.
    let World {
        registry,
        folder: _folder,
    } = world;
    registry.shutdown().await;
    let host = host.start().await;
    let guest = guest.start().await;
    let found = within(guest.context().discover(host.actor_id().actr_type()))
        .await
        .unwrap();
    within(guest.context().call(&Dest::actor(found), Ask::default()))
        .await
        .unwrap();
    within(host.shutdown()).await;
}

async fn discovered(node: &ActrRef, other: &ActrRef) -> Option<()> {
    let found = node.context().discover(other.actor_id().actr_type()).await;
    (found.ok()? == other.actor_id()).then_some(())
}

#[tokio::test]
async fn a_registry_restart_does_not_disturb_streams() {
    let mut pair = Pair::new().await;
    let id = stream_id("lasting");
    let (mut sender, mut subscription) = pair.stream(&id).await;
    sender.send("before").await.unwrap();
    within(subscription.next()).await.unwrap();
    let (before, dest) = (pair.server.actor_id(), pair.dest());

    let address = pair.world.registry.local_addr().to_string();
    let registry = std::mem::replace(
        &mut pair.world.registry,
        Registry::bind("127.0.0.1:0", Options::default()).await.unwrap().spawn(),
    );
    registry.shutdown().await;
    sender.send("while it is away").await.unwrap();
    assert_eq!(within(subscription.next()).await.unwrap().payload, "while it is away");
    within(pair.client.context().call(&dest, Ask::default())).await.unwrap();

    let registry = until(|| async { Registry::bind(&address, Options::default()).await.ok() }).await;
    pair.world.registry = registry.spawn();
    until(|| async { discovered(&pair.client, &pair.server).await }).await;
    assert_ne!(pair.server.actor_id(), before);
    pair.round_trip().await;
    sender.send("after").await.unwrap();
    sender.finish().await.unwrap();
    assert_eq!(within(subscription.next()).await.unwrap().payload, "after");
    assert_eq!(within(subscription.next()).await, None);
    assert_eq!(subscription.end(), Some(StreamEnd::Finished { frames: 3 }));
    // It is let in, too, by whoever still has the id that it knows.
    within(pair.client.context().with_own_connection(&before))
        .await
        .unwrap();
    // A newcomer finds it and is let in.
    let newcomer = pair.world.node("Newcomer").hidden().start().await;
    let call = newcomer.context().call(&pair.dest(), Ask::default()).await;
    assert!(call.is_ok(), "{call:?}");
}

#[tokio::test]
async fn hidden_nodes_are_not_dialled_and_services_stay_local() {
    let mut pair = Pair::new().await;
    let observer = Outsider::new(&pair.world, "Observer").await;
    assert_eq!(observer.address_of(&pair.client.actor_id()).await, None);
    assert_eq!(*observer.link.state().borrow(), LinkState::Connected);
    let ctx = pair.asked().await;
    let error = within(ctx.call(&caller(&ctx), Secret::default())).await.unwrap_err();
    assert_eq!(error.code(), ErrorCode::PermissionDenied);
}
