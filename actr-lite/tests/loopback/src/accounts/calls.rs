//! Calls and their answers.

use actr_lite::Rpc as _;
use actr_lite_wire::{
    envelope::{Envelope, ErrorReply},
    error_code::ErrorCode,
    peer_text::MAX_SHOWN_CHARS,
    record::RecordKind,
};
use bytes::Bytes;
use futures_util::SinkExt as _;
use prost::Message as _;
use tokio_tungstenite::tungstenite::Message;

use crate::{
    accounts::{STALL, long_ask, request, send_until_closed},
    bystander::Bystander,
    harness::{
        deadline::{until, within},
        messages::{Ask, Nowhere},
        server::start_server,
        world::World,
    },
    raw_peer::outsider::Outsider,
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ids_and_routes_of_calls_that_nobody_reads_are_counted() {
    let world = World::new().await;
    let (server, mut contexts) = start_server(&world, "Server").await;
    let bystander = Bystander::start(&world, &server, &mut contexts).await;
    let outsider = Outsider::new(&world, "Own").await;
    for route in [Nowhere::ROUTE, Ask::ROUTE] {
        let mut peer = outsider.dial_extended_with_little_room(&server).await;
        let long = "i".repeat(3 << 20);
        send_until_closed(&mut peer, |number| {
            request(format!("{number}{long}"), route, Ask::default().encode_to_vec())
        })
        .await;
    }
    bystander.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn long_routes_that_are_refused_are_not_sent_back() {
    const CALLS: usize = 20;
    let world = World::new().await;
    let server = world.node("Server").echo().start().await;
    let outsider = Outsider::new(&world, "Own").await;
    let mut peer = outsider.dial_extended_with_little_room(&server).await;
    // Almost as long as a record may be.
    let long = "r".repeat((4 << 20) - (64 << 10));
    for number in 0..CALLS {
        let (_, mut envelope) = peer.request(&format!("{long}{number}"), Vec::new());
        if let Envelope::Request { metadata, .. } = &mut envelope
            && number % 2 == 0
        {
            *metadata = vec![(String::new(), String::new()); 300];
        }
        peer.send_record(RecordKind::RpcReliable, &envelope.encode()).await;
    }
    for number in 0..CALLS {
        let (_, body) = peer.record().await;
        let len = body.len();
        let Envelope::Response {
            request_id,
            route_key,
            result: Err(_),
        } = Envelope::decode(body).unwrap()
        else {
            panic!("it was served");
        };
        assert_eq!(request_id, format!("raw-{}", number + 1));
        assert!(len < 4 << 10, "{len}");
        assert!(route_key.as_str().starts_with(&long[..MAX_SHOWN_CHARS]));
    }
    peer.round_trip().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_that_nobody_reads_has_a_deadline() {
    let world = World::new().await;
    let plan = world.node("Server").echo().set(STALL);
    let server = plan.start().await;
    let outsider = Outsider::new(&world, "Own").await;
    let mut peer = outsider.dial_extended_with_little_room(&server).await;
    // Less than its share: only time ends it.
    for number in 0..4 {
        let message = request(format!("r{number}"), Ask::ROUTE, long_ask());
        within(peer.socket.send(Message::binary(message))).await.unwrap();
    }
    until(|| async { (server.misbehaviour().unread_answers > 0).then_some(()) }).await;
    within(async { while peer.socket.send(Message::Ping(Bytes::new())).await.is_ok() {} }).await;
}

#[tokio::test]
async fn metadata_of_empty_entries_costs_what_it_takes_in_memory() {
    let world = World::new().await;
    let (server, _contexts) = start_server(&world, "Server").await;
    let outsider = Outsider::new(&world, "Own").await;
    let mut peer = outsider.dial_extended(&server).await;
    let (request_id, mut envelope) = peer.request(Ask::ROUTE, Ask::default().encode_to_vec());
    if let Envelope::Request { metadata, .. } = &mut envelope {
        *metadata = vec![(String::new(), String::new()); 300];
    }
    peer.send_record(RecordKind::RpcReliable, &envelope.encode()).await;
    let (_, body) = peer.record().await;
    let Envelope::Response {
        request_id: id,
        result: Err(ErrorReply { code, message }),
        ..
    } = Envelope::decode(body).unwrap()
    else {
        panic!("it was served");
    };
    assert_eq!((id.as_str(), code), (&request_id[..], ErrorCode::InvalidArgument));
    assert!(
        message.as_str().contains("system.limits.max_metadata_bytes"),
        "{message}"
    );
    peer.round_trip().await;
}
