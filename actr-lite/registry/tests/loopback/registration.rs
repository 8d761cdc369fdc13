use std::fs;

use actr_lite_registry::{
    Options, Registry,
    turn_relays::{TurnRelays, TurnSecret},
};
use actr_lite_wire::{credential::VerifyingKey, error_code::ErrorCode, proto::RegisterRequest};
use bytes::Bytes;
use http_body_util::Full;
use hyper::{Method, Request, StatusCode};
use prost::Message as _;

use crate::client::{CLIENT, SERVER, ais, connect, http, id_of, post, register, renew, request, start};

#[tokio::test]
async fn a_registration_gives_an_identity_that_its_key_verifies() {
    let registry = start(Options::default()).await;
    let granted = register(registry.local_addr(), 33, CLIENT).await;
    let id = id_of(&granted);
    assert_eq!((id.realm_id(), id.actr_type().to_string().as_str()), (33, CLIENT));
    assert_eq!(granted.signaling_heartbeat_interval_secs, 5);

    let key = VerifyingKey::from_bytes(granted.signing_key_id, &granted.signing_pubkey).unwrap();
    let expires_at = granted.credential_expires_at.unwrap().seconds as u64;
    let credential = granted.credential.clone().into();
    assert!(key.verify(&credential, &id, expires_at - 1).is_ok());
    assert!(key.verify(&credential, &id, expires_at).is_err());
    assert_eq!(granted.renewal_token.unwrap().len(), 32);
    assert!(granted.renewal_token_expires_at.unwrap().seconds as u64 > expires_at);
    registry.shutdown().await;
}

#[tokio::test]
async fn a_renewal_keeps_the_id_and_needs_the_token() {
    let registry = start(Options::default()).await;
    let address = registry.local_addr();
    let granted = register(address, 1, CLIENT).await;
    let renewed = renew(address, &granted).await.unwrap();
    assert_eq!(renewed.actr_id, granted.actr_id);
    assert_ne!(renewed.renewal_token, granted.renewal_token);

    let mut forged = renewed;
    forged.renewal_token = Some(Bytes::from_static(&[0; 32]));
    let error = renew(address, &forged).await.unwrap_err();
    assert_eq!(error.code, 401, "{}", error.message);
    assert!(error.message.contains("register again"), "{}", error.message);
    registry.shutdown().await;
}

#[tokio::test]
async fn a_relay_credential_ends_with_the_nodes_own() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("secret");
    fs::write(&path, "shared with the relay").unwrap();
    let relays = TurnRelays {
        urls: vec!["turn:192.0.2.1".parse().unwrap()],
        secret: TurnSecret::load("the secret", &path).unwrap(),
    };
    let options = Options {
        turn_relays: Some(relays),
        ..Options::default()
    };
    let registry = start(options).await;
    let granted = register(registry.local_addr(), 1, CLIENT).await;
    let renewed = renew(registry.local_addr(), &granted).await.unwrap();
    for granted in [granted, renewed] {
        let expires_at = granted.credential_expires_at.unwrap().seconds as u64;
        assert_eq!(granted.turn_credential.expires_at, expires_at);
        let username = format!("{expires_at}:{}", id_of(&granted));
        assert_eq!(granted.turn_credential.username, username);
        assert_eq!(granted.turn_urls, ["turn:192.0.2.1:3478"]);
    }
    registry.shutdown().await;
    let registry = start(Options::default()).await;
    let granted = register(registry.local_addr(), 1, CLIENT).await;
    assert_eq!((granted.turn_credential.expires_at, granted.turn_urls), (0, Vec::new()));
    registry.shutdown().await;
}

#[tokio::test]
async fn a_renewal_token_that_is_used_again_ends_its_identity() {
    let registry = start(Options::default()).await;
    let address = registry.local_addr();
    let granted = register(address, 1, CLIENT).await;
    let node = connect(address, &granted).await.unwrap();
    let renewed = renew(address, &granted).await.unwrap();
    assert_eq!(
        renew(address, &granted).await.unwrap(),
        renewed,
        "as if the first answer had got lost"
    );
    let error = renew(address, &granted).await.unwrap_err();
    assert_eq!(error.code, 401);
    for words in ["used again", "register again"] {
        assert!(error.message.contains(words), "{}", error.message);
    }
    let closed = node.closed().await.unwrap();
    assert!(closed.reason.contains("register again"), "{}", closed.reason);
    for credential in [&granted, &renewed] {
        let (status, reason) = connect(address, credential).await.err().unwrap();
        assert_eq!(status, StatusCode::UNAUTHORIZED);
        assert!(reason.contains("register again"), "{reason}");
    }
    assert!(renew(address, &renewed).await.is_err(), "nor is its successor good");
    assert_eq!(registry.misbehaviour().refused_requests, 1);
    registry.shutdown().await;
}

#[tokio::test]
async fn what_can_not_be_registered_is_refused_inside_the_protocol() {
    let registry = start(Options::default()).await;
    let mut wrong_type = request(1, CLIENT);
    wrong_type.actr_type.name = "not a name".into();
    let mut wrong_address = request(1, CLIENT);
    wrong_address.ws_address = Some("http://127.0.0.1".into());
    let mut wrong_contract = request(1, CLIENT);
    wrong_contract.service_spec.as_mut().unwrap().fingerprint = "f".repeat(257);
    let mut package = request(1, CLIENT);
    package.auth_mode = Some(1);
    for (request, code, word) in [
        (wrong_type, ErrorCode::InvalidArgument, "not a name"),
        (wrong_address, ErrorCode::InvalidArgument, "ws_address"),
        (wrong_contract, ErrorCode::InvalidArgument, "service_spec.fingerprint"),
        (package, ErrorCode::NotImplemented, "auth_mode"),
    ] {
        let error = ais(registry.local_addr(), "/ais/register", request.encode_to_vec())
            .await
            .unwrap_err();
        assert_eq!(ErrorCode::from(error.code), code, "{}", error.message);
        assert!(error.message.contains(word), "{}", error.message);
    }
    registry.shutdown().await;
}

#[tokio::test]
async fn http_refuses_other_requests_with_a_line_of_text() {
    let registry = start(Options::default()).await;
    let plain = |method: Method, path: &str| {
        Request::builder()
            .method(method)
            .uri(path)
            .header("host", "localhost")
            .body(Full::<Bytes>::default())
            .unwrap()
    };
    for (request, status, word) in [
        (plain(Method::GET, "/health"), StatusCode::OK, "nodes: 0"),
        (plain(Method::GET, "/nothing"), StatusCode::NOT_FOUND, "/ais/register"),
        (
            plain(Method::GET, "/ais/register"),
            StatusCode::METHOD_NOT_ALLOWED,
            "use POST",
        ),
        (
            plain(Method::POST, "/signaling/ws"),
            StatusCode::METHOD_NOT_ALLOWED,
            "use GET",
        ),
        (
            plain(Method::POST, "/ais/renew"),
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "x-protobuf",
        ),
        (
            plain(Method::GET, "/signaling/ws"),
            StatusCode::UPGRADE_REQUIRED,
            "WebSocket",
        ),
        (
            post("/ais/register", vec![0xff; 9]),
            StatusCode::BAD_REQUEST,
            "protobuf",
        ),
    ] {
        let (method, uri) = (request.method().clone(), request.uri().clone());
        let (actual, body) = http(registry.local_addr(), request).await;
        let text = String::from_utf8(body.to_vec()).unwrap();
        assert_eq!(actual, status, "{method} {uri}: {text}");
        assert!(
            text.contains(word) && text.lines().count() == 1,
            "{method} {uri}: {text}"
        );
    }
    registry.shutdown().await;
}

#[tokio::test]
async fn head_is_answered_like_get_without_a_body() {
    let registry = start(Options::default()).await;
    for path in ["/health", "/", "/signaling/ws", "/nothing"] {
        let [get, head] = [Method::GET, Method::HEAD].map(|method| {
            let request = Request::builder().method(method).uri(path).header("host", "localhost");
            http(registry.local_addr(), request.body(Full::<Bytes>::default()).unwrap())
        });
        let ((get, _), (head, body)) = (get.await, head.await);
        assert_eq!((get, body), (head, Bytes::new()), "{path}");
    }
    registry.shutdown().await;
}

#[tokio::test]
async fn a_taken_port_is_named_with_what_to_do() {
    let registry = start(Options::default()).await;
    let address = registry.local_addr().to_string();
    let Err(error) = Registry::bind(&address, Options::default()).await else {
        panic!("bound twice");
    };
    let text = error.to_string();
    assert!(text.contains(&address) && text.contains("another port"), "{text}");
    registry.shutdown().await;

    let again = Registry::bind(&address, Options::default()).await;
    assert!(again.is_ok(), "the port is free when shutdown returns");
    let Err(error) = Registry::bind("127.0.0.1", Options::default()).await else {
        panic!("bound without a port");
    };
    assert!(error.to_string().contains("<host>:<port>"), "{error}");
}

#[tokio::test]
async fn nodes_without_an_address_come_last_hidden_ones_never() {
    let registry = start(Options::default()).await;
    let address = registry.local_addr();
    let with = |change: fn(&mut RegisterRequest)| {
        let mut request = request(1, SERVER);
        change(&mut request);
        async move {
            ais(address, "/ais/register", request.encode_to_vec())
                .await
                .unwrap()
                .actr_id
        }
    };
    let without_address = with(|request| request.ws_address = None).await;
    let dialable = with(|_| ()).await;
    with(|request| (request.ws_address, request.hidden) = (None, Some(true))).await;
    let mut client = connect(address, &register(address, 1, CLIENT).await).await.unwrap();
    let found = client.discover(SERVER).await.unwrap();
    assert_eq!(found.candidates, [dialable.clone(), without_address]);
    let dialable_ones: Vec<_> = found.ws_address_map.iter().map(|entry| &entry.candidate_id).collect();
    assert_eq!(dialable_ones, [&dialable]);
    drop(client);
    registry.shutdown().await;
}
