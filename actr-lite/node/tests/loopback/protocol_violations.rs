//! A peer that breaks the protocol is told so by a close code, and nobody else notices.

use actr_lite::ActrRef;
use actr_lite_wire::{
    proto::RpcEnvelope,
    record::{DEFAULT_MAX_RECORD_LEN, HEADER_LEN, RecordKind, header},
};
use prost::Message as _;
use tokio_tungstenite::tungstenite::Message;

use crate::{
    harness::{World, start_server},
    raw_peer::{Outsider, frame, record},
};

const PROTOCOL_ERROR: u16 = 1002;
const UNSUPPORTED_DATA: u16 = 1003;
const MESSAGE_TOO_BIG: u16 = 1009;

/// The code with which the node closes a connection that sends this.
async fn close_code(outsider: &Outsider, server: &ActrRef, extended: bool, message: Message) -> u16 {
    let mut peer = match extended {
        true => outsider.dial_extended(server).await,
        false => outsider.dial(server).await,
    };
    peer.round_trip().await;
    // A message that is refused by its header may not be read to its end.
    let _ = futures_util::SinkExt::send(&mut peer.socket, message).await;
    let frame = peer.closed().await.expect("no close frame came");
    assert!(!frame.reason.is_empty());
    frame.code.into()
}

fn of_kind(kind: u8) -> Vec<u8> {
    vec![kind, 0, 0, 0, 1, 0]
}

#[tokio::test]
async fn each_violation_has_its_close_code_and_others_are_served_on() {
    let world = World::new().await;
    let (server, _contexts) = start_server(&world, "Server").await;
    let outsider = Outsider::new(&world, "Official").await;
    let bystander = Outsider::new(&world, "Bystander").await;
    let mut other = bystander.dial(&server).await;

    let good = record(RecordKind::StreamReliable, &frame("x", 1, b"x"));
    let cut = good[..good.len() - 1].to_vec();
    let longer = [&good[..], &[0]].concat();
    let two = [&good[..], &good[..]].concat();
    let too_long = record(RecordKind::StreamReliable, &vec![0; DEFAULT_MAX_RECORD_LEN + 1]);
    let no_frame = record(RecordKind::StreamReliable, b"\xff\xff");
    let no_envelope = record(RecordKind::RpcReliable, b"\xff\xff");
    let no_stream_id = record(RecordKind::StreamReliable, &frame("", 1, b"x"));
    let control = record(RecordKind::StreamEnd, b"\x0a\x01x\x10\x00");
    let credit = |bytes: u64| {
        let message = actr_lite_wire::proto::StreamCredit {
            stream_id: "x".into(),
            bytes,
        };
        record(RecordKind::StreamCredit, &message.encode_to_vec())
    };
    let mut lying = header(RecordKind::StreamReliable, u32::MAX as usize).to_vec();
    lying.push(0);
    let cases: [(&str, bool, Message, u16); 17] = [
        ("an unknown kind", false, Message::binary(of_kind(5)), PROTOCOL_ERROR),
        ("media", false, Message::binary(of_kind(4)), PROTOCOL_ERROR),
        (
            "an unknown control kind",
            true,
            Message::binary(of_kind(133)),
            PROTOCOL_ERROR,
        ),
        ("a cut record", false, Message::binary(cut.clone()), PROTOCOL_ERROR),
        ("a cut record, extended", true, Message::binary(cut), PROTOCOL_ERROR),
        ("a cut header", true, Message::binary(vec![2, 0, 0]), PROTOCOL_ERROR),
        ("a length that lies", true, Message::binary(lying), PROTOCOL_ERROR),
        (
            "something behind a record",
            false,
            Message::binary(longer),
            PROTOCOL_ERROR,
        ),
        (
            "two records without the extension",
            false,
            Message::binary(two),
            PROTOCOL_ERROR,
        ),
        (
            "control without the extension",
            false,
            Message::binary(control),
            PROTOCOL_ERROR,
        ),
        ("no frame", true, Message::binary(no_frame), PROTOCOL_ERROR),
        ("no envelope", true, Message::binary(no_envelope), PROTOCOL_ERROR),
        ("no stream id", true, Message::binary(no_stream_id), PROTOCOL_ERROR),
        (
            "a record that is too long",
            true,
            Message::binary(too_long.clone()),
            PROTOCOL_ERROR,
        ),
        ("a text", false, Message::text("hello"), UNSUPPORTED_DATA),
        (
            "a message that is too long",
            false,
            Message::binary(too_long),
            MESSAGE_TOO_BIG,
        ),
        (
            "a message that is far too long",
            true,
            Message::binary(vec![0; 3 * (DEFAULT_MAX_RECORD_LEN + HEADER_LEN)]),
            MESSAGE_TOO_BIG,
        ),
    ];
    for (what, extended, message, expected) in cases {
        let code = close_code(&outsider, &server, extended, message).await;
        assert_eq!(code, expected, "{what}");
        other.round_trip().await;
    }

    // What is of no consequence is no violation: credit for a stream that is not there, an empty message.
    let mut peer = outsider.dial_extended(&server).await;
    peer.send(Message::binary(credit(1))).await;
    peer.send(Message::binary(credit(u64::MAX))).await;
    peer.send(Message::binary(Vec::new())).await;
    peer.round_trip().await;
}

#[tokio::test]
async fn an_envelope_without_a_known_direction_is_dropped() {
    let world = World::new().await;
    let (server, _contexts) = start_server(&world, "Server").await;
    let outsider = Outsider::new(&world, "Official").await;
    let mut peer = outsider.dial(&server).await;
    let envelope = RpcEnvelope {
        request_id: "r".into(),
        route_key: "open.Open.Ask".into(),
        direction: Some(9),
        timeout_ms: Some(1000),
        ..RpcEnvelope::default()
    };
    peer.send_record(RecordKind::RpcReliable, &envelope.encode_to_vec())
        .await;
    peer.round_trip().await;
}

#[tokio::test]
async fn more_credit_than_there_can_be_is_a_violation() {
    let world = World::new().await;
    let (server, mut contexts) = start_server(&world, "Server").await;
    let outsider = Outsider::new(&world, "Own").await;
    let mut peer = outsider.dial_extended(&server).await;
    let request = peer.ask("open.Open.Push", Vec::new()).await;
    peer.answer(&request).await;
    let ctx = contexts.recv().await.unwrap();
    let id = crate::harness::stream_id("rich");
    let sender = ctx.open_stream(&crate::harness::caller(&ctx), id).await.unwrap();
    let message = actr_lite_wire::proto::StreamCredit {
        stream_id: "rich".into(),
        bytes: u64::MAX,
    };
    peer.send_record(RecordKind::StreamCredit, &message.encode_to_vec())
        .await;
    let frame = peer.closed().await.unwrap();
    assert_eq!(u16::from(frame.code), PROTOCOL_ERROR);
    let error = crate::harness::within(sender.closed()).await;
    assert!(
        matches!(
            error,
            actr_lite::SendError::PeerGone {
                reason: actr_lite::CloseReason::Protocol(_),
                ..
            }
        ),
        "{error:?}"
    );
}
