//! Records are taken as they come: one in a message, several, or in pieces.

use actr_lite::{CloseReason, Rpc as _, StreamEnd};
use actr_lite_wire::{envelope::Envelope, frame as wire_frame, record::RecordKind};
use bytes::Bytes;
use futures_util::{SinkExt as _, StreamExt as _};
use tokio_tungstenite::tungstenite::{
    Message,
    protocol::frame::{
        Frame,
        coding::{Data, OpCode},
    },
};

use crate::{
    harness::{
        deadline::within,
        messages::Push,
        stream::{caller, stream_id},
    },
    raw_peer::{
        visit::Visit,
        wire_bytes::{frame, record},
    },
};

#[tokio::test]
async fn a_peer_without_the_extension_gets_one_record_per_message() {
    const FRAMES: u64 = 500;
    let mut visit = Visit::of_official_peer().await;
    let ctx = visit.asked().await;
    assert_eq!(ctx.caller_id(), Some(visit.outsider.id()));
    let (finished, dropped) = (stream_id("finished"), stream_id("dropped"));
    let mut sender = ctx.open_stream(&caller(&ctx), finished.clone()).await.unwrap();
    let mut other = ctx.open_stream(&caller(&ctx), dropped.clone()).await.unwrap();
    let sending = tokio::spawn(async move {
        for number in 1..=FRAMES {
            sender.send(vec![1; number as usize]).await.unwrap();
        }
        sender.finish().await.unwrap();
        other.send("x").await.unwrap();
    });
    for number in 1..=FRAMES {
        let (kind, body) = visit.peer.record().await;
        assert_eq!(kind, RecordKind::StreamReliable);
        let parts = wire_frame::decode(&body).unwrap();
        assert_eq!(&body[parts.stream_id], finished.as_str().as_bytes());
        assert_eq!((parts.sequence, parts.payload.len() as u64), (number, number));
    }
    let (_, body) = visit.peer.record().await;
    assert_eq!(wire_frame::stream_id_of(&body).unwrap(), dropped.as_str().as_bytes());
    sending.await.unwrap();
    // Neither end was told: the next that comes is the answer. Nor is it told that nobody wants its own frames.
    visit
        .peer
        .send_record(RecordKind::StreamReliable, &frame("unknown", 1, b"x"))
        .await;
    visit.peer.round_trip().await;
    assert_eq!(visit.server.unknown_frames(), 1);
}

#[tokio::test]
async fn calls_and_frames_of_every_kind_of_record_are_taken() {
    let mut visit = Visit::of_official_peer().await;
    let mut subscription = visit.subscribe("both");
    visit
        .peer
        .send_record(RecordKind::StreamReliable, &frame("both", 1, b"reliable"))
        .await;
    visit
        .peer
        .send_record(RecordKind::StreamLatencyFirst, &frame("both", 2, b"early"))
        .await;
    for payload in ["reliable", "early"] {
        assert_eq!(within(subscription.next()).await.unwrap().payload, payload);
    }
    let (request_id, request) = visit.peer.request(Push::ROUTE, Vec::new());
    visit.peer.send_record(RecordKind::RpcSignal, &request.encode()).await;
    visit.peer.answer(&request_id).await;
    visit.next_context().await;
    let tell = Envelope::Tell {
        request_id: "tell".into(),
        route_key: Push::ROUTE.into(),
        payload: Bytes::new(),
        metadata: vec![("k".into(), "v".into())],
        trace: None,
    };
    visit.peer.send_record(RecordKind::RpcReliable, &tell.encode()).await;
    assert_eq!(visit.next_context().await.metadata("k"), Some("v"));
    visit.peer.send(Message::Ping("are you there".into())).await;
    let pong = within(visit.peer.socket.next()).await.unwrap().unwrap();
    assert_eq!(pong, Message::Pong("are you there".into()));
    within(visit.peer.socket.close(None)).await.unwrap();
    assert_eq!(within(subscription.next()).await, None);
    let end = subscription.end();
    assert!(
        matches!(
            end,
            Some(StreamEnd::PeerGone {
                reason: CloseReason::Closed { .. },
                ..
            })
        ),
        "{end:?}"
    );
}

#[tokio::test]
async fn a_batch_of_records_of_an_extended_peer_is_taken_in_order() {
    let mut visit = Visit::of_extended_peer().await;
    let (mut left, mut right) = (visit.subscribe("left"), visit.subscribe("right"));
    let mut batch = Vec::new();
    for number in 1..=30 {
        batch.extend(record(RecordKind::StreamReliable, &frame("left", number, b"l")));
        if number % 3 == 0 {
            batch.extend(record(RecordKind::StreamReliable, &frame("right", number / 3, b"r")));
        }
        if number == 15 {
            let (_, request) = visit.peer.request(Push::ROUTE, Vec::new());
            batch.extend(record(RecordKind::RpcReliable, &request.encode()));
        }
    }
    visit.peer.send(Message::binary(batch)).await;
    for number in 1..=30 {
        assert_eq!(within(left.next()).await.unwrap().sequence, number);
    }
    for number in 1..=10 {
        assert_eq!(within(right.next()).await.unwrap().sequence, number);
    }
    visit.next_context().await;
}

#[tokio::test]
async fn half_a_record_is_completed_by_what_follows() {
    let mut visit = Visit::of_official_peer().await;
    // A message in pieces is one message: the pieces are WebSocket's business.
    let mut subscription = visit.subscribe("pieces");
    let bytes = record(RecordKind::StreamReliable, &frame("pieces", 1, b"whole"));
    let (first, second) = bytes.split_at(7);
    for (bytes, data, last) in [(first, Data::Binary, false), (second, Data::Continue, true)] {
        let frame = Frame::message(Bytes::copy_from_slice(bytes), OpCode::Data(data), last);
        within(visit.peer.socket.send(Message::Frame(frame))).await.unwrap();
    }
    assert_eq!(within(subscription.next()).await.unwrap().payload, "whole");
}
