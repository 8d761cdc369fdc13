//! A web page that makes its own name lead here gets nothing (DNS rebinding), nor does one of another host.

use std::net::SocketAddr;

use actr_lite_registry::Options;
use prost::Message as _;

use crate::{
    client::{CLIENT, request, start},
    hostile::raw,
};

/// The status of the answer to a request with these fields, and its text.
async fn ask(address: SocketAddr, line: &str, fields: &str) -> (u16, String) {
    let body = request(1, CLIENT).encode_to_vec();
    let body = if line.starts_with("POST") { body } else { Vec::new() };
    let mut bytes = format!(
        "{line} HTTP/1.1\r\n{fields}content-type: application/x-protobuf\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        body.len()
    )
    .into_bytes();
    bytes.extend(body);
    let answer = raw(address, &bytes).await;
    let (head, text) = answer.split_once("\r\n\r\n").unwrap_or_default();
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
    (status.unwrap_or_default(), text.into())
}

/// Every route, and what an own host is answered there.
const ROUTES: [(&str, u16); 11] = [
    ("POST /ais/register", 200),
    ("POST /ais/renew", 400),
    ("GET /signaling/ws", 426),
    ("GET /health", 200),
    ("GET /", 200),
    ("GET /page/page.js", 200),
    ("GET /livez", 200),
    ("GET /readyz", 200),
    ("GET /metrics", 200),
    ("GET /api/v1/status", 200),
    ("GET /nothing", 404),
];

#[tokio::test]
async fn no_route_answers_another_host_or_the_page_of_one() {
    let registry = start(Options::default()).await;
    let address = registry.local_addr();
    for (route, own) in ROUTES {
        for fields in [
            format!("host: {address}\r\n"),
            "host: localhost:1\r\n".into(),
            "host: [::1]\r\norigin: http://localhost:3000\r\n".into(),
        ] {
            assert_eq!(ask(address, route, &fields).await.0, own, "{route} {fields}");
        }
    }
    // Events go on and on for an own host.
    for route in ROUTES.map(|(route, _)| route).into_iter().chain(["GET /api/v1/events"]) {
        for (fields, status, word) in [
            ("host: evil.example\r\n", 421, "--allowed-host"),
            ("host: 192.0.2.1:8081\r\n", 421, "allowed_hosts in [system.signaling]"),
            (
                "host: localhost\r\norigin: http://evil.example\r\n",
                403,
                "evil.example",
            ),
            ("host: localhost\r\norigin: null\r\n", 403, "web pages of null"),
            (
                "host: localhost\r\norigin: http://localhost\r\norigin: http://evil.example\r\n",
                403,
                "evil.example",
            ),
            ("host: localhost\r\nhost: evil.example\r\n", 400, "one Host"),
            ("", 400, "one Host"),
        ] {
            let (actual, text) = ask(address, route, fields).await;
            assert_eq!(actual, status, "{route} {fields}: {text}");
            assert!(text.contains(word) && text.lines().count() == 1, "{route}: {text}");
        }
    }
    let (status, text) = ask(address, "GET http://evil.example/health", "host: localhost\r\n").await;
    assert_eq!(status, 421, "{text}");
    let answer = raw(address, b"GET /health HTTP/1.0\r\n\r\n").await;
    assert!(answer.contains(" 400 "), "{answer}");
    // What was registered by the own hosts, and nothing else.
    let (_, text) = ask(address, "GET /health", "host: localhost\r\n").await;
    assert!(text.contains("nodes: 3"), "{text}");
    registry.shutdown().await;
}

#[tokio::test]
async fn a_host_that_was_added_is_answered_at_any_port() {
    let registry = start(Options {
        allowed_hosts: vec!["registry.example".parse().unwrap()],
        ..Options::default()
    })
    .await;
    let address = registry.local_addr();
    for host in ["registry.example", "REGISTRY.example.:443"] {
        let fields = format!("host: {host}\r\norigin: https://registry.example\r\n");
        assert_eq!(ask(address, "POST /ais/register", &fields).await.0, 200, "{host}");
    }
    registry.shutdown().await;
}
