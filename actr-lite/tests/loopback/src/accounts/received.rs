//! What has come of a message or a record so far.

use std::time::Duration;

use actr_lite::Rpc as _;
use actr_lite_wire::{envelope::Envelope, record::RecordKind};
use prost::Message as _;
use tokio::io::AsyncWriteExt as _;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

use crate::{
    accounts::{STALL, closed_in_spite_of_pings},
    bystander::Bystander,
    harness::{deadline::within, messages::Ask, server::start_plan, world::World},
    raw_peer::{
        connection::dial,
        outsider::Outsider,
        wire_bytes::{record, websocket_frame, websocket_header},
    },
};

#[tokio::test]
async fn a_message_that_is_only_begun_has_a_deadline() {
    let world = World::new().await;
    let (server, _contexts) = start_plan(world.node("Server").set(STALL)).await;
    let outsider = Outsider::new(&world, "Own").await;
    // A fragment: pings may stand between it and the next one.
    let mut peer = outsider.dial_extended(&server).await;
    let fragment = websocket_frame(0x02, &record(RecordKind::RpcReliable, &[0; 100])[..50]);
    peer.socket.get_mut().write_all(&fragment).await.unwrap();
    let (code, reason) = closed_in_spite_of_pings(peer).await;
    assert_eq!(code, CloseCode::Policy);
    assert!(reason.contains("system.limits.stall_timeout"), "{reason}");
}

#[tokio::test]
async fn a_record_of_which_a_part_is_missing_has_a_deadline() {
    let world = World::new().await;
    let (server, _contexts) = start_plan(world.node("Server").set(STALL)).await;
    let outsider = Outsider::new(&world, "Own").await;
    let mut peer = outsider.dial_extended(&server).await;
    let long = record(RecordKind::RpcReliable, &[0; 1000]);
    peer.send_record(RecordKind::Part, &long[..500]).await;
    let (code, reason) = closed_in_spite_of_pings(peer).await;
    assert_eq!(code, CloseCode::Policy);
    assert!(reason.contains("system.limits.stall_timeout"), "{reason}");
}

#[tokio::test]
async fn messages_half_received_are_counted() {
    const MIB: usize = 1 << 20;
    let world = World::new().await;
    let plan = world.node("Server").set("system.limits.max_bytes_per_peer=4194304");
    let (server, mut contexts) = start_plan(plan).await;
    let bystander = Bystander::start(&world, &server, &mut contexts).await;
    let outsider = Outsider::new(&world, "Own").await;
    let mut peers = Vec::new();
    let mut refused = None;
    for number in 0..8 {
        let mut peer = outsider.dial_extended(&server).await;
        let begun = if number % 2 == 0 {
            // Announced, and half of it sent.
            [websocket_header(4 * MIB as u64), vec![0; 2 * MIB]].concat()
        } else {
            let half = &record(RecordKind::RpcReliable, &vec![0; 4 * MIB])[..2 * MIB];
            websocket_frame(0x82, &record(RecordKind::Part, half))
        };
        let _ = within(peer.socket.get_mut().write_all(&begun)).await;
        peers.push(peer);
        // What was sent is counted by the time that another connection, or its call, is refused for it.
        let address = outsider.address_of(&server.actor_id()).await.unwrap();
        let Ok(mut probe) = dial(address, &outsider.headers()).await else {
            refused = Some(number);
            break;
        };
        probe.ask(Ask::ROUTE, Ask::default().encode_to_vec()).await;
        let (_, body) = probe.record().await;
        if let Envelope::Response { result: Err(error), .. } = Envelope::decode(body).unwrap() {
            assert!(
                error.message.as_str().contains("system.limits.max_bytes_per_peer"),
                "{error}"
            );
            refused = Some(number);
            break;
        }
    }
    let mut told = Vec::new();
    for peer in peers {
        let closed = tokio::time::timeout(Duration::from_millis(500), peer.closed()).await;
        told.extend(closed.ok().flatten().map(|frame| frame.reason.to_string()));
    }
    assert!(
        refused.is_some()
            || told
                .iter()
                .any(|reason| reason.contains("system.limits.max_bytes_per_peer")),
        "{told:?}"
    );
    bystander.finish().await;
}
