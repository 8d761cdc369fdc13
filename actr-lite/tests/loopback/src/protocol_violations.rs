//! A peer that breaks the protocol is told so by a close code, and nobody else notices.

use actr_lite_wire::{
    proto::RpcEnvelope,
    record::{DEFAULT_MAX_RECORD_LEN, HEADER_LEN, RecordKind, header},
};
use prost::Message as _;
use tokio::io::AsyncWriteExt as _;
use tokio_tungstenite::tungstenite::Message;

use crate::{
    bystander::Bystander,
    harness::{deadline::within, server::start_server, world::World},
    logs::{self, TOLD_PER_NODE, Told},
    raw_peer::{
        outsider::Outsider,
        wire_bytes::{frame, record, websocket_frame, websocket_header},
    },
};

const PROTOCOL_ERROR: u16 = 1002;
const UNSUPPORTED_DATA: u16 = 1003;
const INVALID_PAYLOAD: u16 = 1007;
const MESSAGE_TOO_BIG: u16 = 1009;

const FINAL_TEXT: u8 = 0x81;
const FINAL_BINARY: u8 = 0x82;
const FINAL_CLOSE: u8 = 0x88;
const FINAL_PING: u8 = 0x89;

/// A binary message.
fn binary(payload: &[u8]) -> Vec<u8> {
    websocket_frame(FINAL_BINARY, payload)
}

/// A message with one record of this kind.
fn one(kind: RecordKind, body: &[u8]) -> Vec<u8> {
    binary(&record(kind, body))
}

/// A message of one record that announces this many bytes, and has one.
fn claims(kind: RecordKind, len: u32) -> Vec<u8> {
    binary(&[&header(kind, len as usize)[..], &[0]].concat())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_violation_has_a_close_code_and_is_logged_once() {
    use RecordKind::{RpcReliable, StreamCredit, StreamEnd, StreamReliable};
    logs::capture();
    let good = record(StreamReliable, &frame("x", 1, b"x"));
    let cut = binary(&good[..good.len() - 1]);
    let longer = binary(&[&good[..], &[0]].concat());
    let two = binary(&[&good[..], &good[..]].concat());
    let too_long = vec![0; DEFAULT_MAX_RECORD_LEN + 1];
    let far_too_long = binary(&vec![0; 3 * (DEFAULT_MAX_RECORD_LEN + HEADER_LEN)]);
    let control = one(StreamEnd, b"\x0a\x01x\x10\x00");
    let no_utf8_id = frame("xy", 1, b"x")
        .iter()
        .map(|byte| if *byte == b'x' { 0xff } else { *byte })
        .collect::<Vec<_>>();
    let no_utf8_route = RpcEnvelope {
        request_id: "xyz".into(),
        ..RpcEnvelope::default()
    }
    .encode_to_vec();
    let no_utf8_route = no_utf8_route
        .iter()
        .map(|byte| if *byte == b'y' { 0xff } else { *byte })
        .collect::<Vec<_>>();
    let fragments = [
        websocket_frame(0x02, &[2]),
        websocket_frame(0x00, &vec![0; 1 << 20]).repeat(7),
    ]
    .concat();

    #[rustfmt::skip]
    let cases: Vec<(&str, bool, Vec<u8>, u16, &str)> = vec![
        ("an unknown kind", false, binary(&[5, 0, 0, 0, 1, 0]), PROTOCOL_ERROR, "unknown record kind 5"),
        ("media", false, binary(&[4, 0, 0, 0, 1, 0]), PROTOCOL_ERROR, "unknown record kind 4"),
        ("an unknown control kind", true, binary(&[255, 0, 0, 0, 1, 0]), PROTOCOL_ERROR, "unknown record kind 255"),
        ("a cut record", false, cut.clone(), PROTOCOL_ERROR, "ends within a record"),
        ("a cut record, extended", true, cut, PROTOCOL_ERROR, "ends within a record"),
        ("a cut header", true, binary(&[2, 0, 0]), PROTOCOL_ERROR, "ends within a record"),
        ("a length that lies a little", true, claims(StreamReliable, 2), PROTOCOL_ERROR, "ends within a record"),
        ("a length that lies", true, claims(StreamReliable, u32::MAX), MESSAGE_TOO_BIG, "4294967295 bytes"),
        ("the same of a call", false, claims(RpcReliable, u32::MAX), MESSAGE_TOO_BIG, "4294967295 bytes"),
        ("the same of control", true, claims(StreamCredit, u32::MAX), MESSAGE_TOO_BIG, "4294967295 bytes"),
        ("something behind a record", false, longer, PROTOCOL_ERROR, "several records"),
        ("two records without the extension", false, two, PROTOCOL_ERROR, "several records"),
        ("control without the extension", false, control, PROTOCOL_ERROR, "need the extension"),
        ("no frame", true, one(StreamReliable, b"\xff\xff"), INVALID_PAYLOAD, ""),
        ("a field that lies", true, one(StreamReliable, b"\x0a\xff\xff\xff\xff\x0f"), INVALID_PAYLOAD, ""),
        ("no envelope", true, one(RpcReliable, b"\xff\xff"), INVALID_PAYLOAD, "decoded"),
        ("no control", true, one(StreamCredit, b"\xff\xff"), INVALID_PAYLOAD, ""),
        ("no stream id", true, one(StreamReliable, &frame("", 1, b"x")), INVALID_PAYLOAD, "stream"),
        ("a stream id that is no UTF-8", true, one(StreamReliable, &no_utf8_id), INVALID_PAYLOAD, "stream"),
        ("a request id that is no UTF-8", false, one(RpcReliable, &no_utf8_route), INVALID_PAYLOAD, "decoded"),
        ("a record that is too long", true, one(StreamReliable, &too_long), MESSAGE_TOO_BIG, "over the limit"),
        ("a message that is too long", false, one(StreamReliable, &too_long), MESSAGE_TOO_BIG, "over the limit"),
        ("a message that is far too long", true, far_too_long, MESSAGE_TOO_BIG, "over the limit"),
        ("fragments without an end", true, fragments, MESSAGE_TOO_BIG, "over the limit"),
        ("a frame of 2^62 bytes", true, websocket_header(1 << 62), MESSAGE_TOO_BIG, "4611686018427387904"),
        ("a frame of more than there is", false, websocket_header(u64::MAX), PROTOCOL_ERROR, "length"),
        ("a long form of a short length", true, websocket_header(1), PROTOCOL_ERROR, "shortest form"),
        ("a text", false, websocket_frame(FINAL_TEXT, b"hello"), UNSUPPORTED_DATA, "text messages"),
        ("a text that is no UTF-8", true, websocket_frame(FINAL_TEXT, b"\xff"), UNSUPPORTED_DATA, "text messages"),
        ("no mask", true, vec![FINAL_BINARY, 1, 0], PROTOCOL_ERROR, "without a mask"),
        ("a reserved bit", true, websocket_frame(0xc2, b"x"), PROTOCOL_ERROR, "reserved bits"),
        ("a reserved opcode", true, websocket_frame(0x83, b"x"), PROTOCOL_ERROR, "reserved opcode"),
        ("a rest without a start", true, websocket_frame(0x80, b"x"), PROTOCOL_ERROR, "continuation"),
        ("a start within a message", true, websocket_frame(0x02, b"x").repeat(2), PROTOCOL_ERROR, "inside a fragmented"),
        ("a long ping", true, websocket_frame(FINAL_PING, &[0; 126]), PROTOCOL_ERROR, "125 bytes"),
        ("half a ping", true, websocket_frame(0x09, b"x"), PROTOCOL_ERROR, "fragmented"),
        ("half a close code", true, websocket_frame(FINAL_CLOSE, b"\x03"), PROTOCOL_ERROR, "half a close code"),
        ("a close code that is none", true, websocket_frame(FINAL_CLOSE, b"\x03\xed"), PROTOCOL_ERROR, "1005"),
        ("a close reason that is no UTF-8", true, websocket_frame(FINAL_CLOSE, b"\x03\xe8\xff"), INVALID_PAYLOAD, "UTF-8"),
    ];
    for (number, cases) in cases.chunks(TOLD_PER_NODE).enumerate() {
        let world = World::new().await;
        let (server, mut contexts) = start_server(&world, &format!("Server{number}")).await;
        let bystander = Bystander::start(&world, &server, &mut contexts).await;
        let mut told = Told::nothing(&server);
        for (what, is_extended, bytes, code, reason) in cases {
            let outsider = Outsider::new(&world, "Official").await;
            let mut peer = match is_extended {
                true => outsider.dial_extended(&server).await,
                false => outsider.dial(&server).await,
            };
            peer.round_trip().await;
            // What is refused by its header may not be read to its end.
            let _ = within(peer.socket.get_mut().write_all(bytes)).await;
            let closed = peer
                .closed()
                .await
                .unwrap_or_else(|| panic!("{what}: no close frame came"));
            assert_eq!(u16::from(closed.code), *code, "{what}: {}", closed.reason);
            assert!(
                !closed.reason.is_empty() && closed.reason.contains(reason),
                "{what}: {}",
                closed.reason
            );
            told.assert_one_more(&outsider.id().to_string(), what).await;
        }
        assert_eq!(server.misbehaviour().protocol_violations, told.total());
        bystander.finish().await;
    }
}

#[tokio::test]
async fn what_is_of_no_consequence_is_no_violation() {
    let world = World::new().await;
    let (server, _contexts) = start_server(&world, "Server").await;
    let outsider = Outsider::new(&world, "Own").await;
    let credit = |bytes: u64| {
        let message = actr_lite_wire::proto::StreamCredit {
            stream_id: "x".into(),
            bytes,
        };
        record(RecordKind::StreamCredit, &message.encode_to_vec())
    };
    let mut peer = outsider.dial_extended(&server).await;
    peer.send(Message::binary(credit(1))).await;
    peer.send(Message::binary(credit(u64::MAX))).await;
    peer.send(Message::binary(Vec::new())).await;
    peer.round_trip().await;
    assert_eq!(server.misbehaviour().total(), 0);
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
    let id = crate::harness::stream::stream_id("rich");
    let sender = ctx
        .open_stream(&crate::harness::stream::caller(&ctx), id)
        .await
        .unwrap();
    let message = actr_lite_wire::proto::StreamCredit {
        stream_id: "rich".into(),
        bytes: u64::MAX,
    };
    peer.send_record(RecordKind::StreamCredit, &message.encode_to_vec())
        .await;
    let frame = peer.closed().await.unwrap();
    assert_eq!(u16::from(frame.code), PROTOCOL_ERROR);
    let error = crate::harness::deadline::within(sender.closed()).await;
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
