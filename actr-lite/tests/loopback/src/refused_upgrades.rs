//! A peer that asks for a connection in a wrong way is told why, counted, and logged once; nobody else notices.

use actr_lite_wire::{credential::Credential, proto::AIdCredential};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use crate::{
    bystander::Bystander,
    harness::{
        deadline::within,
        server::{start_plan, start_server},
        world::World,
    },
    logs::{self, TOLD_PER_NODE, Told},
    raw_peer::{
        connection::raw,
        outsider::{CREDENTIAL, Outsider, SOURCE, headers},
    },
};

const VERSION: &str = "sec-websocket-version: 13\r\n";
const KEY: &str = "sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

fn upgrade(fields: &str) -> Vec<u8> {
    format!("GET / HTTP/1.1\r\nhost: localhost\r\nconnection: upgrade\r\nupgrade: websocket\r\n{fields}\r\n")
        .into_bytes()
}

fn upgrade_as(identity: &[(&'static str, String)], more: &str) -> Vec<u8> {
    let fields = identity.iter().map(|(name, value)| format!("{name}: {value}\r\n"));
    upgrade(&format!("{VERSION}{KEY}{}{more}", fields.collect::<String>()))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_refusal_has_a_status_and_a_reason_and_is_logged_once() {
    logs::capture();
    let world = World::new().await;
    let outsider = Outsider::new(&world, "Official").await;
    let other = Outsider::new(&world, "Other").await;
    let proof = AIdCredential::from(outsider.identity.credential.clone());
    let with = |change: &dyn Fn(&mut AIdCredential)| {
        let mut message = proof.clone();
        change(&mut message);
        upgrade_as(&headers(outsider.id(), &Credential::from(message)), "")
    };
    let altered = with(&|message| message.claims = [&message.claims[..], &[0x20, 0x01]].concat().into());
    let unsigned = with(&|message| message.signature = message.signature.iter().map(|byte| !byte).collect());
    let short = with(&|message| message.signature = message.signature.slice(..63));
    let unknown_key = with(&|message| message.key_id ^= 1);
    let forged = upgrade_as(&headers(other.id(), &outsider.identity.credential), "");
    let good = outsider.headers();
    let bad_limit = upgrade_as(
        &good,
        "sec-websocket-protocol: actr-lite.1\r\nx-actr-lite-max-record: -1\r\n",
    );
    let no_hex = upgrade_as(&[(SOURCE, "not hex".into()), good[1].clone()], "");
    let no_id = upgrade_as(&[(SOURCE, "ffff".into()), good[1].clone()], "");
    let no_base64 = upgrade_as(&[good[0].clone(), (CREDENTIAL, "***".into())], "");
    let no_credential = upgrade_as(&[good[0].clone(), (CREDENTIAL, "////".into())], "");
    let old = upgrade(&format!("sec-websocket-version: 8\r\n{KEY}"));
    let rebound = String::from_utf8(upgrade_as(&good, "")).unwrap();
    let rebound = rebound.replace("host: localhost", "host: evil.example").into_bytes();
    let page = upgrade_as(&good, "origin: http://evil.example\r\n");
    let many_fields = upgrade(&"x: y\r\n".repeat(200));
    let long_field = upgrade(&format!("{SOURCE}: {}\r\n", "0".repeat(64 << 10)));
    let posted = [
        &b"POST / HTTP/1.1\r\nhost: localhost\r\ncontent-length: 4611686018427387904\r\n\r\n"[..],
        &[0; 70_000],
    ]
    .concat();

    #[rustfmt::skip]
    let cases: Vec<(&str, Vec<u8>, bool, u16, &str)> = vec![
        ("garbage", b"hello\r\n\r\n".to_vec(), false, 400, "not an HTTP/1.1 request"),
        ("TLS", b"\x16\x03\x01\x02\x00\x01\x00".to_vec(), false, 400, "not an HTTP/1.1 request"),
        ("a long field", long_field, false, 431, "head is too long"),
        ("many fields", many_fields, false, 431, "100 fields"),
        ("half a head", b"GET / HTTP/1.1\r\nhos".to_vec(), true, 0, ""),
        ("no upgrade", b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n".to_vec(), false, 426, "ask for an upgrade"),
        ("many at once", b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n".repeat(100), false, 426, "ask for an upgrade"),
        ("a body without an end", posted, false, 426, "ask for an upgrade"),
        ("an old version", old, false, 400, "version 13"),
        ("no key", upgrade(VERSION), false, 400, "Sec-WebSocket-Key"),
        ("nobody", upgrade_as(&[], ""), false, 401, SOURCE),
        ("no credential", upgrade_as(&good[..1], ""), false, 401, CREDENTIAL),
        ("a source that is no hex", no_hex, false, 401, "source id"),
        ("a source that is no id", no_id, false, 401, "source id"),
        ("a credential that is no base64", no_base64, false, 401, "credential"),
        ("a credential that is none", no_credential, false, 401, "credential"),
        ("other claims", altered, false, 401, "signature"),
        ("another signature", unsigned, false, 401, "signature"),
        ("a short signature", short, false, 401, "signature"),
        ("an unknown key", unknown_key, false, 401, "signing key"),
        ("a forged source", forged, false, 401, "the credential belongs to"),
        ("another host", rebound, false, 421, "allowed_hosts in [system.websocket]"),
        ("a page of another host", page, false, 403, "http://evil.example"),
        ("no host", b"GET / HTTP/1.1\r\n\r\n".to_vec(), false, 400, "one Host header"),
        ("a limit that is none", bad_limit, false, 400, "x-actr-lite-max-record"),
    ];
    for (number, cases) in cases.chunks(TOLD_PER_NODE).enumerate() {
        let (server, mut contexts) = start_server(&world, &format!("Server{number}")).await;
        let address = outsider.address_of(&server.actor_id()).await.unwrap();
        let bystander = Bystander::start(&world, &server, &mut contexts).await;
        let mut told = Told::nothing(&server);
        for (what, bytes, hangs_up, status, text) in cases {
            let (peer, answer) = raw(address, bytes, *hangs_up).await;
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
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_upgrade_that_dribbles_in_is_given_up_with_a_408() {
    logs::capture();
    let world = World::new().await;
    let (server, mut contexts) = start_server(&world, "Server").await;
    let bystander = Bystander::start(&world, &server, &mut contexts).await;
    let outsider = Outsider::new(&world, "Official").await;
    let address = outsider.address_of(&server.actor_id()).await.unwrap();
    let mut told = Told::nothing(&server);
    let (slow, silent) = tokio::join!(raw(address, b"GET / HTTP/1.1\r\nhos", false), raw(address, b"", false));
    assert!(slow.1.starts_with("HTTP/1.1 408 "), "{}", slow.1);
    assert!(slow.1.contains("head took too long"), "{}", slow.1);
    told.assert_one_more(&slow.0.to_string(), "a slow head").await;
    // A peer that says nothing at all may have changed its mind.
    assert_eq!(silent.1, "");
    assert_eq!(server.misbehaviour().unreadable_requests, 1);
    bystander.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_of_its_actr_toml_is_the_nodes_own() {
    let world = World::new().await;
    let plan = world
        .node("Server")
        .set("system.websocket.allowed_hosts=[\"node.example\"]");
    let (server, _contexts) = start_plan(plan).await;
    let outsider = Outsider::new(&world, "Official").await;
    let address = outsider.address_of(&server.actor_id()).await.unwrap();
    for (host, status) in [("NODE.example:80", "101"), ("other.example", "421")] {
        let request = String::from_utf8(upgrade_as(&outsider.headers(), "")).unwrap();
        let request = request.replace("host: localhost", &format!("host: {host}"));
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut line = [0; b"HTTP/1.1 101".len()];
        within(stream.read_exact(&mut line)).await.unwrap();
        assert!(line.ends_with(status.as_bytes()), "{host}: {}", line.escape_ascii());
    }
}
