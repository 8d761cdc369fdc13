//! Whoever stands between two nodes reads nothing, and forges no end.

use actr_lite::{Dest, StreamEnd};

use crate::{
    harness::{
        address::free_address,
        deadline::within,
        messages::Push,
        server::start_plan,
        stream::{caller, stream_id},
        world::World,
    },
    tls::relay::Relay,
};

/// A stream of 10,000 frames over a relay: how many frames came, how it ended, and the relay.
async fn stream_over_relay(is_tls: bool, cut_after: usize) -> (u64, StreamEnd, Relay) {
    let world = World::new().await;
    world.certify();
    let relay = Relay::start(cut_after).await;
    // The listener has to be known before the node starts.
    let listen = free_address();
    *relay.target.lock().unwrap() = Some(listen);
    let scheme = if is_tls { "wss" } else { "ws" };
    let plan = world
        .node("Server")
        .set(&format!("system.websocket.listen={listen}"))
        .set(&format!("system.websocket.advertised={scheme}://{}", relay.address));
    let plan = if is_tls { plan.with_tls() } else { plan };
    let (server, mut contexts) = start_plan(plan).await;
    let client = world.node("Client").hidden().set("system.tls.ca=ca.pem").start().await;
    let id = stream_id("relayed");
    let mut subscription = client.context().subscribe(id.clone(), &server.actor_id()).unwrap();
    let dest = Dest::actor(server.actor_id());
    within(client.context().call(&dest, Push::default())).await.unwrap();
    let ctx = contexts.recv().await.unwrap();
    let mut sender = ctx.open_stream(&caller(&ctx), id).await.unwrap();
    let sending = tokio::spawn(async move {
        for _ in 0..10_000 {
            if sender.send("nobody is to read this").await.is_err() {
                return;
            }
        }
        let _ = sender.finish().await;
    });
    let mut taken = 0;
    while let Some(frame) = within(subscription.next()).await {
        taken += 1;
        assert_eq!(frame.sequence, taken);
    }
    within(sending).await.unwrap();
    (taken, subscription.end().unwrap(), relay)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_between_two_nodes_can_read_what_passes() {
    for is_tls in [true, false] {
        let (taken, end, relay) = stream_over_relay(is_tls, usize::MAX).await;
        assert_eq!((taken, end), (10_000, StreamEnd::Finished { frames: 10_000 }));
        // Without TLS the texts are found: so the search can find them.
        for text in ["nobody is to read this", "relayed", "x-actr-credential"] {
            assert_eq!(relay.shows(text.as_bytes()), !is_tls, "{text}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cut_connection_ends_its_stream_after_a_whole_frame() {
    for cut_after in [8_000, 50_000, 100_001] {
        let (taken, end, _) = stream_over_relay(true, cut_after).await;
        assert!(taken < 10_000, "{taken} frames after {cut_after} bytes");
        assert!(matches!(end, StreamEnd::PeerGone { .. }), "{end:?}");
    }
}
