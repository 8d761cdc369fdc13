//! A peer that misbehaves gets a reason, is counted, and logged once; nobody else notices.

use std::{net::SocketAddr, time::Duration};

use actr_lite_registry::{Options, RegistryHandle};
use actr_lite_wire::proto::{
    ActrRelay, GetServiceSpecRequest, Ping, RegisterRequest, RenewCredentialRequest,
    actr_to_signaling::Payload as Request, register_response::RegisterOk, signaling_envelope::Flow,
    signaling_to_actr::Payload as Answer,
};
use futures_util::SinkExt as _;
use prost::Message as _;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    sync::oneshot,
    task::JoinHandle,
};
use tokio_tungstenite::tungstenite::Message;

use crate::{
    client::{CLIENT, SERVER, Signaling, ais, connect, id_of, register, request, start, within},
    logs,
};

/// A node that sends heartbeats without a pause, and is answered each in its turn.
struct Bystander {
    stop: oneshot::Sender<()>,
    task: JoinHandle<u64>,
}

impl Bystander {
    async fn start(registry: &RegistryHandle) -> Self {
        let address = registry.local_addr();
        let mut node = connect(address, &register(address, 1, CLIENT).await).await.unwrap();
        let (stop, mut stopped) = oneshot::channel();
        let task = tokio::spawn(async move {
            let mut answered = 0;
            while stopped.try_recv().is_err() {
                match node.ask(ping()).await {
                    Answer::Pong(pong) => assert_eq!(pong.seq, answered),
                    other => panic!("{other:?}"),
                }
                answered += 1;
            }
            answered
        });
        Self { stop, task }
    }

    async fn finish(self) {
        let _ = self.stop.send(());
        assert!(within(self.task).await.unwrap() > 0);
    }
}

fn ping() -> Request {
    Request::Ping(Ping {
        availability: 0,
        power_reserve: 1.0,
        mailbox_backlog: 0.0,
        sticky_client_ids: Vec::new(),
    })
}

/// Whether the peer says after its bytes that no more come.
#[derive(Clone, Copy, PartialEq)]
enum Then {
    Wait,
    HangUp,
}

/// Sends `bytes` on a connection of its own; who sent them, and all that comes back until the registry closes it.
async fn raw(address: SocketAddr, bytes: &[u8], then: Then) -> (SocketAddr, String) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let peer = stream.local_addr().unwrap();
    // What is too long may not be read to its end.
    let _ = stream.write_all(bytes).await;
    if then == Then::HangUp {
        let _ = stream.shutdown().await;
    }
    let mut answer = Vec::new();
    let _ = within(stream.read_to_end(&mut answer)).await;
    (peer, String::from_utf8_lossy(&answer).into_owned())
}

fn post(body: &[u8]) -> Vec<u8> {
    let head = format!(
        "POST /ais/register HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/x-protobuf\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), body].concat()
}

fn chunked(chunks: &[u8]) -> Vec<u8> {
    let head = "POST /ais/renew HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/x-protobuf\r\ntransfer-encoding: chunked\r\n\r\n";
    [head.as_bytes(), chunks].concat()
}

fn upgrade(query: &str, headers: &str) -> Vec<u8> {
    format!(
        "GET /signaling/ws?{query} HTTP/1.1\r\nhost: localhost\r\nconnection: upgrade\r\nupgrade: websocket\r\n{headers}\r\n"
    )
    .into_bytes()
}

const WHOLE: &str = "sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

/// What a registry has complained about so far.
struct Told<'a> {
    registry: &'a RegistryHandle,
    total: u64,
    log: usize,
}

impl<'a> Told<'a> {
    fn nothing(registry: &'a RegistryHandle) -> Self {
        let log = logs::position();
        Self {
            registry,
            total: 0,
            log,
        }
    }

    /// That one more was counted since the last time, and that one line tells of it.
    async fn assert_one_more(&mut self, peer: &str, what: &str) {
        self.total += 1;
        // What is answered may be counted only then.
        within(async {
            while self.registry.misbehaviour().total() < self.total || logs::about(peer, self.log).is_empty() {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        })
        .await;
        let misbehaviour = self.registry.misbehaviour();
        assert_eq!(misbehaviour.total(), self.total, "{what}: {misbehaviour}");
        let lines = logs::about(peer, self.log);
        assert_eq!(lines.len(), 1, "{what}: {lines:?}");
        self.log = logs::position();
    }
}

/// A registry that has complained about enough says no more for a while; tests with more cases take a new one.
const CASES_PER_REGISTRY: usize = actr_lite_wire::log_limit::LINES_PER_WINDOW as usize;

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

async fn newcomer(registry: &RegistryHandle) -> (RegisterOk, Signaling) {
    let granted = register(registry.local_addr(), 1, CLIENT).await;
    let node = connect(registry.local_addr(), &granted).await.unwrap();
    (granted, node)
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_head_or_a_body_that_dribbles_in_is_given_up_with_a_408() {
    logs::capture();
    let registry = start(Options::default()).await;
    let bystander = Bystander::start(&registry).await;
    let address = registry.local_addr();
    let body = "POST /ais/register HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/x-protobuf\r\ncontent-length: 100\r\n\r\nabc";
    let log = logs::position();
    let (head, body, silent) = tokio::join!(
        raw(address, b"GET /signaling/ws HTTP/1.1\r\nhos", Then::Wait),
        raw(address, body.as_bytes(), Then::Wait),
        raw(address, b"", Then::Wait),
    );
    for ((peer, answer), expected) in [(head, "head took too long"), (body, "body took longer than 10 s")] {
        assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
        assert!(answer.contains(expected), "{answer}");
        assert_eq!(logs::about(&peer.to_string(), log).len(), 1, "{expected}");
    }
    // A peer that says nothing at all may have changed its mind.
    assert_eq!(silent.1, "");
    let misbehaviour = registry.misbehaviour();
    assert_eq!(
        (misbehaviour.unreadable_requests, misbehaviour.refused_requests),
        (1, 1)
    );
    bystander.finish().await;
    registry.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_does_not_read_its_answers_is_closed() {
    logs::capture();
    let registry = start(Options::default()).await;
    let bystander = Bystander::start(&registry).await;
    let mut large = request(1, SERVER);
    large.service_spec.as_mut().unwrap().description = Some("d".repeat(900_000));
    ais(registry.local_addr(), "/ais/register", large.encode_to_vec())
        .await
        .unwrap();
    let (granted, mut node) = newcomer(&registry).await;
    let mut told = Told::nothing(&registry);
    // Together more than the system holds for a connection.
    for _ in 0..50 {
        let request = GetServiceSpecRequest {
            name: SERVER.into(),
            fingerprint: None,
        };
        let flow = node.message(Some(Request::GetServiceSpec(request)));
        node.send(flow, 1).await;
    }
    within(async {
        while registry.misbehaviour().unread_answers == 0 {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    })
    .await;
    drop(node);
    bystander.finish().await;
    told.assert_one_more(&id_of(&granted).to_string(), "unread answers")
        .await;
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
