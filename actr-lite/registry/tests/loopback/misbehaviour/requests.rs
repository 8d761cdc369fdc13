//! A request that is not valid gets a status.

use actr_lite_registry::Options;
use actr_lite_wire::proto::{RegisterRequest, RenewCredentialRequest};
use futures_util::SinkExt as _;
use prost::Message as _;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;

use crate::{
    client::{CLIENT, connect, register, request, start, within},
    logs,
    misbehaviour::{
        CASES_PER_REGISTRY, Then, WHOLE, bystander::Bystander, chunked, newcomer, post, raw, told::Told, upgrade,
    },
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_invalid_request_gets_a_status_and_is_logged_once() {
    logs::capture();
    let mut wrong_text = RegisterRequest::encode_to_vec(&request(1, CLIENT));
    let at = wrong_text.windows(4).position(|window| window == b"acme").unwrap();
    wrong_text[at] = 0xff;
    let many_fields = format!("GET / HTTP/1.1\r\n{}\r\n", "x: y\r\n".repeat(200));
    let long_field = format!("GET / HTTP/1.1\r\nhost: {}\r\n\r\n", "a".repeat(64 << 10));
    let long_uri = format!("GET /{} HTTP/1.1\r\nhost: localhost\r\n\r\n", "a".repeat(64 << 10));
    let too_long = [b"100001\r\n", &vec![0; 0x10_0001][..], b"\r\n0\r\n\r\n"].concat();
    let endless = b"POST /ais/register HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/x-protobuf\r\ncontent-length: 4611686018427387904\r\n\r\n";
    let cut_body = b"POST /ais/register HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/x-protobuf\r\ncontent-length: 100\r\n\r\nabc";
    #[rustfmt::skip]
    let cases: Vec<(&str, Vec<u8>, Then, u16, &str)> = vec![
        ("garbage", b"hello\r\n\r\n".to_vec(), Then::Wait, 400, "not an HTTP/1.1 request"),
        ("TLS", b"\x16\x03\x01\x02\x00\x01\x00".to_vec(), Then::Wait, 400, "not an HTTP/1.1 request"),
        ("a long field", long_field.into_bytes(), Then::Wait, 431, "head is too long"),
        ("many fields", many_fields.into_bytes(), Then::Wait, 431, "100 fields"),
        ("a long URI", long_uri.into_bytes(), Then::Wait, 431, "head is too long"),
        ("HTTP/2", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec(), Then::Wait, 0, ""),
        ("half a head", b"GET / HTTP/1.1\r\nhos".to_vec(), Then::HangUp, 0, ""),
        ("another path", b"GET /favicon.ico HTTP/1.1\r\nhost: localhost\r\n\r\n".to_vec(), Then::Wait, 404, "/ais/register"),
        ("another method", b"GET /ais/register HTTP/1.1\r\nhost: localhost\r\n\r\n".to_vec(), Then::Wait, 405, "use POST"),
        ("no type", b"POST /ais/register HTTP/1.1\r\nhost: localhost\r\n\r\n".to_vec(), Then::Wait, 415, "x-protobuf"),
        ("a length that lies", endless.to_vec(), Then::Wait, 413, "1048576 bytes"),
        ("a body that is cut", cut_body.to_vec(), Then::HangUp, 400, "can't be read"),
        ("a body that grows", chunked(&too_long), Then::Wait, 413, "4096 bytes"),
        ("a chunk that lies", chunked(b"fffffffffffffff\r\nabc"), Then::HangUp, 400, "can't be read"),
        ("no chunk", chunked(b"zz\r\n"), Then::Wait, 400, "can't be read"),
        ("no protobuf", post(&[0xff; 9]), Then::Wait, 400, "not the protobuf message"),
        ("a field that lies", post(b"\x0a\xff\xff\xff\xff\x0f"), Then::Wait, 400, "not the protobuf message"),
        ("no UTF-8", post(&wrong_text), Then::Wait, 400, "UTF-8"),
        ("many at once", b"GET /nothing HTTP/1.1\r\nhost: localhost\r\n\r\n".repeat(100), Then::Wait, 404, "/health"),
        ("no upgrade", b"GET /signaling/ws HTTP/1.1\r\nhost: localhost\r\n\r\n".to_vec(), Then::Wait, 426, "version 13"),
        ("no key", upgrade("", "sec-websocket-version: 13\r\n"), Then::Wait, 426, "version 13"),
        ("no query", upgrade("", WHOLE), Then::Wait, 401, "one actor_id"),
        ("no id", upgrade("actor_id=%ff&key_id=1&claims=&signature=", WHOLE), Then::Wait, 401, "actor_id can't"),
        ("no claims", upgrade("actor_id=1%401/a:b:1&key_id=1&claims=!&signature=", WHOLE), Then::Wait, 401, "claims"),
        ("no such key", upgrade("actor_id=1%401/a:b:1&key_id=1&claims=&signature=", WHOLE), Then::Wait, 401, "key 1"),
    ];
    for cases in cases.chunks(CASES_PER_REGISTRY) {
        let registry = start(Options::default()).await;
        let bystander = Bystander::start(&registry).await;
        let mut told = Told::nothing(&registry);
        for (what, bytes, then, status, text) in cases {
            let (peer, answer) = raw(registry.local_addr(), bytes, *then).await;
            match status {
                0 => assert_eq!(answer, "", "{what}"),
                status => {
                    let (head, body) = answer
                        .split_once("\r\n\r\n")
                        .unwrap_or_else(|| panic!("{what}: {answer:?}"));
                    assert!(head.starts_with(&format!("HTTP/1.1 {status} ")), "{what}: {head}");
                    assert!(head.contains("connection: close"), "{what}: {head}");
                    assert!(body.contains(text) && body.lines().count() == 1, "{what}: {body}");
                }
            }
            told.assert_one_more(&peer.to_string(), what).await;
        }
        bystander.finish().await;
        registry.shutdown().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_credential_that_is_somebody_elses_or_altered_is_told_once() {
    logs::capture();
    let registry = start(Options::default()).await;
    let bystander = Bystander::start(&registry).await;
    let address = registry.local_addr();
    let granted = register(address, 1, CLIENT).await;
    let mut altered = granted.clone();
    altered.credential.signature = granted.credential.signature.iter().map(|byte| !byte).collect();
    let mut forged = granted.clone();
    forged.actr_id.serial_number ^= 1;
    for (shown, expected) in [(altered, "signature is wrong"), (forged, "the credential belongs to")] {
        let before = registry.misbehaviour().refused_upgrades;
        let Err((status, text)) = connect(address, &shown).await else {
            panic!("it was let in");
        };
        assert_eq!(status, 401, "{text}");
        assert!(text.contains(expected), "{text}");
        assert_eq!(registry.misbehaviour().refused_upgrades, before + 1);
    }
    bystander.finish().await;
    registry.shutdown().await;
}

#[tokio::test]
async fn a_repeated_refusal_is_logged_once() {
    logs::capture();
    let registry = start(Options::default()).await;
    let address = registry.local_addr();
    let granted = register(address, 1, CLIENT).await;
    let mut no_type = request(1, CLIENT);
    no_type.actr_type.name = "no\nname".into();
    let stolen = RenewCredentialRequest {
        actr_id: granted.actr_id.clone(),
        renewal_token: vec![0; 32].into(),
    };
    let renew = String::from_utf8(post(&[])).unwrap();
    let renew = renew
        .replace("/ais/register", "/ais/renew")
        .replace("length: 0", &format!("length: {}", stolen.encoded_len()));
    let mut told = Told::nothing(&registry);
    for (what, bytes, text) in [
        ("no name", post(&no_type.encode_to_vec()), "actr_type"),
        (
            "a wrong token",
            [renew.as_bytes(), &stolen.encode_to_vec()].concat(),
            "renewal token",
        ),
    ] {
        let (peer, answer) = raw(address, &bytes.repeat(3), Then::Wait).await;
        assert!(
            answer.starts_with("HTTP/1.1 200 ") && answer.contains(text),
            "{what}: {answer}"
        );
        told.assert_one_more(&peer.to_string(), what).await;
    }
    assert_eq!(registry.misbehaviour().refused_requests, 2);
    registry.shutdown().await;
}

#[tokio::test]
async fn a_connection_that_changes_its_mind_is_nobodys_fault() {
    let registry = start(Options::default()).await;
    let address = registry.local_addr();
    drop(TcpStream::connect(address).await.unwrap());
    let health = b"GET /health HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
    let (_, answer) = raw(address, health, Then::Wait).await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    let (_, mut node) = newcomer(&registry).await;
    within(node.socket.send(Message::Ping("hello".into()))).await.unwrap();
    drop(node);
    assert_eq!(registry.misbehaviour().total(), 0);
    registry.shutdown().await;
}
