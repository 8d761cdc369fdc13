//! A request that comes twice, or had to be sent twice, is served once.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use actr_lite::{Dest, Rpc as _};
use actr_lite_wire::{
    envelope::Envelope,
    record::{self as wire_record, RecordKind},
};
use bytes::Bytes;
use futures_util::{SinkExt as _, StreamExt as _};
use tokio::net::TcpListener;
use tokio_tungstenite::tungstenite::Message;

use crate::{
    harness::{
        deadline::within,
        messages::{Answer, Push},
        world::World,
    },
    raw_peer::{connection::RawPeer, outsider::Outsider, wire_bytes::record},
};

#[tokio::test]
async fn a_request_that_is_repeated_while_it_is_served_is_served_once() {
    let world = World::new().await;
    let (served, mut serving) = tokio::sync::mpsc::unbounded_channel();
    let server = world
        .node("Server")
        .echo()
        .on(move |_: Push, _| {
            let (go, gate) = tokio::sync::oneshot::channel::<()>();
            served.send(go).unwrap();
            async {
                gate.await.unwrap();
                Ok(Answer::default())
            }
        })
        .start()
        .await;
    let outsider = Outsider::new(&world, "Official").await;
    let mut peer = outsider.dial(&server).await;
    let (request_id, _) = ask_twice(&mut peer).await;
    peer.round_trip().await;
    within(serving.recv()).await.unwrap().send(()).unwrap();
    peer.answer(&request_id).await;
    peer.round_trip().await;
    assert!(serving.try_recv().is_err(), "the handler ran twice");
}

/// Sends the same request twice, as an official node may; its id, and itself.
async fn ask_twice(peer: &mut RawPeer) -> (String, Vec<u8>) {
    let (request_id, request) = peer.request(Push::ROUTE, Vec::new());
    let request = request.encode();
    for _ in 0..2 {
        peer.send_record(RecordKind::RpcReliable, &request).await;
    }
    (request_id, request)
}

#[tokio::test]
async fn a_request_that_arrives_twice_is_served_once() {
    let world = World::new().await;
    let served = Arc::new(AtomicU64::new(0));
    let count = Arc::clone(&served);
    let plan = world.node("Server").echo().on(move |_: Push, _| {
        count.fetch_add(1, Ordering::SeqCst);
        async { Ok(Answer::default()) }
    });
    let server = plan.start().await;
    let outsider = Outsider::new(&world, "Official").await;
    let mut peer = outsider.dial(&server).await;
    let (request_id, request) = ask_twice(&mut peer).await;
    peer.answer(&request_id).await;
    // It is done, and still known.
    peer.send_record(RecordKind::RpcReliable, &request).await;
    peer.round_trip().await;
    assert_eq!(served.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_first_call_that_was_dropped_is_sent_again() {
    let world = World::new().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let outsider = Outsider::listening(&world, "Official", Some(listener.local_addr().unwrap())).await;
    let client = world.client().await;
    let dest = Dest::actor(outsider.id().clone());
    let ctx = client.context().clone();
    let call = tokio::spawn(async move { ctx.call(&dest, Push::default()).await });

    let (stream, _) = within(listener.accept()).await.unwrap();
    let mut socket = within(tokio_tungstenite::accept_async(stream)).await.unwrap();
    let mut next_request = async || {
        loop {
            if let Message::Binary(bytes) = within(socket.next()).await.unwrap().unwrap() {
                let (body, _) = wire_record::body_at(&bytes, 0).unwrap();
                match Envelope::decode(Bytes::copy_from_slice(body)).unwrap() {
                    Envelope::Request { request_id, .. } => return request_id,
                    other => panic!("{other:?}"),
                }
            }
        }
    };
    let dropped = next_request().await;
    let again = next_request().await;
    assert_eq!(dropped, again);
    let answer = Envelope::Response {
        request_id: again,
        route_key: Push::ROUTE.into(),
        result: Ok(Bytes::new()),
    };
    let message = record(RecordKind::RpcReliable, &answer.encode());
    within(socket.send(Message::binary(message))).await.unwrap();
    within(call).await.unwrap().unwrap();
}
