//! Who gets a connection: an HTTP upgrade with a valid credential, and nothing else.

use std::time::Duration;

use actr_lite_registry::Options;
use actr_lite_wire::{credential::Credential, proto::AIdCredential};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};
use tokio_tungstenite::{client_async, tungstenite::client::IntoClientRequest as _};

use crate::{
    harness::{
        deadline::{until, within},
        server::start_server,
        world::World,
    },
    raw_peer::{
        connection::dial,
        outsider::{CREDENTIAL, Outsider, SOURCE, headers},
    },
};

#[tokio::test]
async fn a_peer_without_a_valid_credential_gets_a_401() {
    let world = World::new().await;
    let (server, _contexts) = start_server(&world, "Server").await;
    let (outsider, other) = (
        Outsider::new(&world, "Official").await,
        Outsider::new(&world, "Other").await,
    );
    let address = outsider.address_of(&server.actor_id()).await.unwrap();
    let good = outsider.headers();
    let (source, credential) = (good[0].clone(), good[1].clone());
    let message = AIdCredential::from(outsider.identity.credential.clone());
    let mut forged = message.clone();
    forged.signature = message.signature.iter().map(|byte| !byte).collect();
    let mut altered = message.clone();
    altered.claims = message.claims.iter().chain([&0x20, &0x01]).copied().collect();
    let mut unknown_key = message.clone();
    unknown_key.key_id = message.key_id.wrapping_add(1);
    let cases = [
        (vec![], SOURCE),
        (vec![credential.clone()], SOURCE),
        (vec![source.clone()], CREDENTIAL),
        (vec![(SOURCE, "not hex".into()), credential.clone()], "source id"),
        (vec![source.clone(), (CREDENTIAL, "***".into())], "credential"),
        (vec![(SOURCE, "00".repeat(5000)), credential], "source id"),
        (headers(outsider.id(), &Credential::from(forged)), "signature"),
        (headers(outsider.id(), &Credential::from(altered)), "signature"),
        (headers(outsider.id(), &Credential::from(unknown_key)), "signing key"),
        (headers(outsider.id(), &other.identity.credential), "acme:Other:1.0.0"),
    ];
    for (headers, expected) in cases {
        let refused = dial(address, &headers).await.err();
        let (status, reason) = refused.unwrap_or_else(|| panic!("{headers:?} were let in"));
        assert_eq!(status, 401, "{reason}");
        assert!(reason.contains(expected), "{reason:?} does not name {expected:?}");
    }
    let mut peer = dial(address, &good).await.unwrap();
    peer.round_trip().await;
}

#[tokio::test]
async fn an_expired_credential_gets_a_401_with_the_reason() {
    let world = World::with(Options {
        credential_lifetime: Duration::from_secs(1),
        ..Options::default()
    })
    .await;
    let (server, _contexts) = start_server(&world, "Server").await;
    let outsider = Outsider::new(&world, "Official").await;
    let address = outsider.address_of(&server.actor_id()).await.unwrap();
    let identity = outsider.identity.clone();
    drop(outsider);
    // The expiry is by the registry's clock, which the server knows to the second.
    let headers = headers(&identity.actor_id, &identity.credential);
    let (status, reason) = until(|| async { dial(address, &headers).await.err() }).await;
    assert_eq!(status, 401);
    assert!(reason.contains("expired"), "{reason}");
}

#[tokio::test]
async fn what_is_not_an_upgrade_is_answered_or_closed() {
    let world = World::new().await;
    let (server, _contexts) = start_server(&world, "Server").await;
    let outsider = Outsider::new(&world, "Official").await;
    let address = outsider.address_of(&server.actor_id()).await.unwrap();
    let cases: [(&[u8], &str); 5] = [
        (b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n", "HTTP/1.1 426 "),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", "HTTP/1.1 400 "),
        (
            b"GET / HTTP/1.1\r\nhost: localhost\r\nconnection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 8\r\n\r\n",
            "HTTP/1.1 400 ",
        ),
        (
            b"GET / HTTP/1.1\r\nhost: localhost\r\nconnection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n\r\n",
            "HTTP/1.1 400 ",
        ),
        (&[b'x'; 40_000], "HTTP/1.1 4"),
    ];
    for (bytes, expected) in cases {
        let mut socket = TcpStream::connect(address).await.unwrap();
        // What is refused before it was all read may end in a reset.
        let _ = within(socket.write_all(bytes)).await;
        let mut answer = Vec::new();
        let _ = within(socket.read_to_end(&mut answer)).await;
        let answer = String::from_utf8_lossy(&answer).into_owned();
        assert!(
            answer.starts_with(expected) || (bytes.len() > 20_000 && answer.is_empty()),
            "{answer:?}"
        );
    }
    // One that never says what it wants is ended, and meanwhile others are served.
    let mut slow = TcpStream::connect(address).await.unwrap();
    slow.write_all(b"GET / HT").await.unwrap();
    let mut peer = outsider.dial(&server).await;
    peer.round_trip().await;
    let mut answer = Vec::new();
    let _ = within(slow.read_to_end(&mut answer)).await;
    peer.round_trip().await;
}

#[tokio::test]
async fn a_usual_websocket_client_takes_the_upgrade_for_one() {
    let world = World::new().await;
    let (server, _contexts) = start_server(&world, "Server").await;
    let outsider = Outsider::new(&world, "Official").await;
    let address = outsider.address_of(&server.actor_id()).await.unwrap();
    let mut request = format!("ws://{address}/").into_client_request().unwrap();
    for (name, value) in outsider.headers() {
        request.headers_mut().insert(name, value.parse().unwrap());
    }
    let stream = TcpStream::connect(address).await.unwrap();
    let (_, response) = within(client_async(request, stream)).await.unwrap();
    assert_eq!(response.headers().get("connection").unwrap(), "Upgrade");
    assert_eq!(response.headers().get("sec-websocket-protocol"), None);
}
