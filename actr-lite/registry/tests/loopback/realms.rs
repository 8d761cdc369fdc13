//! A realm takes in whom its secret admits.

use std::net::SocketAddr;

use actr_lite_registry::{Options, Realms};
use actr_lite_wire::{
    error_code::ErrorCode,
    proto::{ErrorResponse, RegisterRequest, RegisterResponse, register_response::Result as RegisterResult},
};
use hyper::header::HeaderValue;
use prost::Message as _;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use crate::{
    client::{CLIENT, SERVER, http, post, register, renew, request, start, within},
    logs,
};

/// Short enough to be guessed.
const SECRET: &str = "open sesame";

/// Too long for that.
const LONG_SECRET: &str = "0123456789abcdef";

const OTHER_SECRET: &str = "fedcba9876543210";

/// What a registration in this realm with this secret is refused with.
async fn refusal(address: SocketAddr, realm_id: u32, secret: Option<&str>) -> Option<ErrorResponse> {
    refusal_of(address, &request(realm_id, CLIENT), secret).await
}

async fn refusal_of(address: SocketAddr, request: &RegisterRequest, secret: Option<&str>) -> Option<ErrorResponse> {
    let realm_id = request.realm.realm_id;
    let mut request = post("/ais/register", request.encode_to_vec());
    if let Some(secret) = secret {
        let value = HeaderValue::from_str(secret).unwrap();
        request.headers_mut().insert("x-actrix-realm-secret", value);
    }
    let (_, body) = http(address, request).await;
    match RegisterResponse::decode(body).unwrap().result.unwrap() {
        RegisterResult::Success(granted) => {
            assert_eq!(granted.actr_id.realm.realm_id, realm_id);
            // A registered node no longer needs the secret.
            renew(address, &granted).await.unwrap();
            None
        }
        RegisterResult::Error(error) => Some(error),
    }
}

fn guarded() -> Options {
    Options {
        realms: Realms::only(7, SECRET.as_bytes()),
        ..Options::default()
    }
}

#[tokio::test]
async fn only_who_has_the_secret_of_a_realm_is_registered_in_it() {
    let registry = start(guarded()).await;
    let address = registry.local_addr();
    assert_eq!(refusal(address, 7, Some(SECRET)).await, None);
    for (realm_id, secret, words) in [
        (7, None, "realms of this registry have secrets: set ACTR_REALM_SECRET"),
        (7, Some("open barley"), "not the secret of realm 7"),
        (8, Some(SECRET), "does not serve realm 8"),
    ] {
        let error = refusal(address, realm_id, secret).await.unwrap();
        assert_eq!(error.code, ErrorCode::PermissionDenied.number());
        assert!(error.message.contains(words), "{}", error.message);
    }
    assert_eq!(registry.misbehaviour().refused_requests, 3);
    registry.shutdown().await;
}

#[tokio::test]
async fn a_right_secret_is_never_kept_waiting_by_wrong_ones() {
    let options = Options {
        realms: Realms::only(7, LONG_SECRET.as_bytes()),
        ..Options::default()
    };
    let registry = start(options).await;
    let address = registry.local_addr();
    for guess in 0..30 {
        let error = refusal(address, 7, Some(&format!("wrong secret {guess}")))
            .await
            .unwrap();
        // Waiting does not help: a node with a wrong secret is told so, however many there are.
        assert_eq!(error.code, ErrorCode::PermissionDenied.number(), "{}", error.message);
        assert_eq!(refusal(address, 7, Some(LONG_SECRET)).await, None);
    }
    registry.shutdown().await;
}

#[tokio::test]
async fn who_has_no_secret_is_told_so_before_its_body_is_read() {
    let options = Options {
        realms: Realms::only(7, LONG_SECRET.as_bytes()),
        ..Options::default()
    };
    let registry = start(options).await;
    for (secret, words) in [
        ("", "realms of this registry have secrets"),
        (
            "x-actrix-realm-secret: fedcba9876543210\r\n",
            "not the secret of any realm",
        ),
    ] {
        let head = format!(
            "POST /ais/register HTTP/1.1\r\nhost: a\r\ncontent-type: application/x-protobuf\r\n{secret}content-length: \
             1000000\r\n\r\n"
        );
        let mut stream = TcpStream::connect(registry.local_addr()).await.unwrap();
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        // No byte of the body is ever sent.
        within(stream.read_to_end(&mut answer)).await.unwrap();
        let answer = String::from_utf8_lossy(&answer);
        assert!(
            answer.starts_with("HTTP/1.1 200 ") && answer.contains(words),
            "{answer}"
        );
    }
    registry.shutdown().await;
}

#[tokio::test]
async fn guessing_a_short_secret_is_limited() {
    let registry = start(guarded()).await;
    let address = registry.local_addr();
    assert_eq!(refusal(address, 7, Some(SECRET)).await, None);
    for guess in 0..10 {
        let error = refusal(address, 7, Some(&guess.to_string())).await.unwrap();
        assert_eq!(error.code, ErrorCode::PermissionDenied.number(), "{guess}");
    }
    // Nodes are told that waiting helps.
    let error = refusal(address, 7, Some(SECRET)).await.unwrap();
    assert_eq!(error.code, ErrorCode::Unavailable.number(), "{}", error.message);
    assert!(
        error
            .message
            .contains("too many wrong secrets of realm 7 came from 127.0.0.1: try again in"),
        "{}",
        error.message
    );
    registry.shutdown().await;
}

/// Two secrets, of which one is for servers alone, and they for it.
fn with_types() -> Options {
    let file = tempfile::NamedTempFile::new().unwrap();
    let text = format!("7 = [{{ secret = '{LONG_SECRET}', types = ['{SERVER}'] }}, '{OTHER_SECRET}']");
    std::fs::write(file.path(), text).unwrap();
    Options {
        realms: Realms::from_file(file.path()).unwrap(),
        ..Options::default()
    }
}

#[tokio::test]
async fn a_type_is_registered_only_with_a_secret_that_names_it() {
    let registry = start(with_types()).await;
    let address = registry.local_addr();
    for (actr_type, right, wrong) in [(SERVER, LONG_SECRET, OTHER_SECRET), (CLIENT, OTHER_SECRET, LONG_SECRET)] {
        assert_eq!(refusal_of(address, &request(7, actr_type), Some(right)).await, None);
        let error = refusal_of(address, &request(7, actr_type), Some(wrong)).await.unwrap();
        // Nodes are told that waiting does not help.
        assert_eq!(error.code, ErrorCode::PermissionDenied.number());
        for part in [actr_type, "realm 7", "add the type to the secret's `types`"] {
            assert!(error.message.contains(part), "{}", error.message);
        }
    }
    assert_eq!(registry.misbehaviour().refused_requests, 2);
    registry.shutdown().await;
}

#[tokio::test]
async fn a_type_is_not_taken_over_in_silence() {
    logs::capture();
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), format!("7 = ['{LONG_SECRET}', '{OTHER_SECRET}']")).unwrap();
    let registry = start(Options {
        realms: Realms::from_file(file.path()).unwrap(),
        ..Options::default()
    })
    .await;
    let address = registry.local_addr();
    let mut upgraded = request(7, SERVER);
    upgraded.service_spec.as_mut().unwrap().fingerprint = "another".into();
    let mut hidden = upgraded.clone();
    hidden.hidden = Some(true);
    for (request, secret, told) in [
        (request(7, SERVER), LONG_SECRET, &[][..]),
        (request(7, SERVER), LONG_SECRET, &[]),
        (hidden, OTHER_SECRET, &[]),
        (
            request(7, SERVER),
            OTHER_SECRET,
            &["secret 2 of the realm instead of secret 1"],
        ),
        (
            upgraded,
            LONG_SECRET,
            &["the contract another instead of fingerprint of acme:Server:1.0.0"],
        ),
    ] {
        let log = logs::position();
        assert_eq!(refusal_of(address, &request, Some(secret)).await, None);
        let lines = logs::about_types_of("@7/", log);
        assert_eq!(lines.len(), told.len(), "{lines:?}");
        for (line, words) in lines.iter().zip(told) {
            assert!(line.contains(words), "{line}");
        }
    }
    registry.shutdown().await;
}

#[tokio::test]
async fn without_secrets_all_realms_are_open() {
    let registry = start(Options::default()).await;
    register(registry.local_addr(), 1, CLIENT).await;
    register(registry.local_addr(), u32::MAX, CLIENT).await;
    registry.shutdown().await;
}
