//! The data lane over TLS keeps what it promises without, shows nobody what passes, and lets nobody in without.

mod handshake;
mod privacy;
mod relay;
mod streams;

use std::net::SocketAddr;

use actr_lite::{ActrError, ActrRef, Dest, StreamEnd, Subscription};

use crate::{
    harness::{deadline::within, messages::Ask, world::World},
    raw_peer::outsider::Outsider,
};

/// Takes what is left of a stream that is to be whole; how many frames that were.
async fn take_all(mut subscription: Subscription) -> u64 {
    let mut taken = 0;
    while let Some(frame) = within(subscription.next()).await {
        taken += 1;
        assert_eq!(frame.sequence, taken);
    }
    assert_eq!(subscription.end(), Some(StreamEnd::Finished { frames: taken }));
    taken
}

async fn take_all_of_nothing(mut subscription: Subscription) -> StreamEnd {
    assert_eq!(within(subscription.next()).await, None);
    subscription.end().unwrap()
}

/// Where a node's data lane listens.
async fn lane_of(world: &World, node: &ActrRef) -> SocketAddr {
    let outsider = Outsider::new(world, "Looker").await;
    outsider.address_of(&node.actor_id()).await.unwrap()
}

/// The result of a call.
async fn call(client: &ActrRef, server: &ActrRef) -> Result<(), ActrError> {
    let dest = Dest::actor(server.actor_id());
    within(client.context().call(&dest, Ask::default())).await.map(|_| ())
}
