//! A peer of the signaling that breaks the protocol is closed with a code and a reason.

use actr_lite_registry::Options;
use actr_lite_wire::proto::{ActrRelay, signaling_envelope::Flow};
use tokio::io::AsyncWriteExt as _;

use crate::{
    client::{CLIENT, id_of, register, start, within},
    logs,
    misbehaviour::{CASES_PER_REGISTRY, bystander::Bystander, newcomer, ping, told::Told},
};

/// A WebSocket frame as a client writes it, with a mask that changes nothing.
fn frame(first_byte: u8, length: &[u8], payload: &[u8]) -> Vec<u8> {
    [&[first_byte], length, &[0; 4], payload].concat()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_protocol_violation_closes_with_a_code_and_a_reason() {
    logs::capture();
    let huge = |length: u64| frame(0x82, &[&[0x80 | 127], &length.to_be_bytes()[..]].concat(), &[]);
    let mut fragments = frame(0x02, &[0x80 | 1], &[0]);
    for _ in 0..3 {
        let length = [0x80 | 126, 0x7f, 0xff];
        fragments.extend(frame(0x00, &length, &[0; 0x7fff]));
    }
    let not_utf8 = b"\x08\x01\x12\x02\xff\xfe";
    #[rustfmt::skip]
    let cases: Vec<(&str, Vec<u8>, u16, &str)> = vec![
        ("a text", frame(0x81, &[0x80 | 2], b"hi"), 1003, "binary"),
        ("a text that is no UTF-8", frame(0x81, &[0x80 | 2], &[0xff, 0xfe]), 1003, "binary"),
        ("no envelope", frame(0x82, &[0x80 | 9], &[0xff; 9]), 1007, "not a SignalingEnvelope"),
        ("no UTF-8", frame(0x82, &[0x80 | 6], not_utf8), 1007, "not a SignalingEnvelope"),
        ("2^62 bytes", huge(1 << 62), 1009, "65536 bytes"),
        ("all bits", huge(u64::MAX), 1002, "2^63"),
        ("one byte too many", huge(65_537), 1009, "65536 bytes"),
        ("fragments without an end", fragments, 1009, "65536 bytes"),
        ("no mask", vec![0x82, 1, 0], 1002, "mask"),
        ("a reserved bit", frame(0xc2, &[0x80 | 1], &[0]), 1002, "eserved"),
        ("a reserved opcode", frame(0x83, &[0x80 | 1], &[0]), 1002, "opcode"),
        ("a rest without a start", frame(0x80, &[0x80 | 1], &[0]), 1002, "ontinu"),
        ("a long ping", frame(0x89, &[0x80 | 126, 0, 126], &[0; 126]), 1002, "ontrol"),
    ];
    for cases in cases.chunks(CASES_PER_REGISTRY) {
        let registry = start(Options::default()).await;
        let bystander = Bystander::start(&registry).await;
        let mut told = Told::nothing(&registry);
        for (what, bytes, code, reason) in cases {
            let (granted, mut node) = newcomer(&registry).await;
            within(node.socket.get_mut().write_all(bytes)).await.unwrap();
            let closed = node.closed().await.unwrap_or_else(|| panic!("{what}: no close frame"));
            assert_eq!(u16::from(closed.code), *code, "{what}: {}", closed.reason);
            assert!(closed.reason.contains(reason), "{what}: {}", closed.reason);
            told.assert_one_more(&id_of(&granted).to_string(), what).await;
        }
        assert_eq!(registry.misbehaviour().protocol_violations, told.total);
        bystander.finish().await;
        registry.shutdown().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_in_another_nodes_name_is_answered_and_closed() {
    logs::capture();
    let registry = start(Options::default()).await;
    let bystander = Bystander::start(&registry).await;
    let victim = register(registry.local_addr(), 1, CLIENT).await;
    for is_relay in [false, true] {
        let (_, mut node) = newcomer(&registry).await;
        let flow = if is_relay {
            Flow::ActrRelay(ActrRelay {
                source: victim.actr_id.clone(),
                credential: victim.credential.clone(),
                target: victim.actr_id.clone(),
                payload: None,
            })
        } else {
            let Flow::ActrToServer(mut message) = node.message(Some(ping())) else {
                panic!("another flow");
            };
            message.source = victim.actr_id.clone();
            Flow::ActrToServer(message)
        };
        let before = registry.misbehaviour().forged_sources;
        let envelope_id = node.send(flow, 1).await;
        let answer = node.reply(&envelope_id).await;
        assert!(
            format!("{answer:?}").contains("this connection belongs to"),
            "{answer:?}"
        );
        let closed = node.closed().await.unwrap();
        assert_eq!(u16::from(closed.code), 1008, "{}", closed.reason);
        assert!(
            closed.reason.contains("this connection belongs to"),
            "{}",
            closed.reason
        );
        assert_eq!(registry.misbehaviour().forged_sources, before + 1);
    }
    bystander.finish().await;
    registry.shutdown().await;
}
