//! Reaching a limit is an error that names it, and ends nothing that goes on already.

use std::{net::SocketAddr, time::Duration};

use actr_lite_registry::Options;
use actr_lite_wire::{error_code::ErrorCode, proto::ErrorResponse};
use hyper::StatusCode;
use prost::Message as _;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use crate::client::{CLIENT, SERVER, ais, connect, http, post, register, request, start, within};

async fn refused(address: SocketAddr) -> ErrorResponse {
    let request = request(1, CLIENT).encode_to_vec();
    ais(address, "/ais/register", request).await.unwrap_err()
}

#[tokio::test]
async fn one_node_too_many_is_refused_and_those_that_are_there_stay() {
    let options = Options {
        max_nodes: 1,
        ..Options::default()
    };
    let registry = start(options).await;
    let address = registry.local_addr();
    let mut node = connect(address, &register(address, 1, SERVER).await).await.unwrap();
    let error = refused(address).await;
    assert_eq!(error.code, ErrorCode::Unavailable.number());
    for part in ["holds 1 nodes", "system.signaling.limits.max_nodes", "--max-nodes"] {
        assert!(error.message.contains(part), "{}", error.message);
    }
    assert!(node.discover(SERVER).await.is_ok());
    drop(node);
    registry.shutdown().await;
}

#[tokio::test]
async fn a_registration_that_fills_the_memory_for_all_is_refused() {
    let options = Options {
        max_stored_bytes: 16,
        ..Options::default()
    };
    let registry = start(options).await;
    let error = refused(registry.local_addr()).await;
    assert_eq!(error.code, ErrorCode::Unavailable.number());
    for part in ["pass 16 bytes", "max_stored_bytes", "--max-stored-bytes"] {
        assert!(error.message.contains(part), "{}", error.message);
    }
    registry.shutdown().await;
}

#[tokio::test]
async fn a_body_over_the_limit_gets_a_413_that_names_it() {
    let options = Options {
        max_body_bytes: 32,
        ..Options::default()
    };
    let registry = start(options).await;
    let request = request(1, CLIENT).encode_to_vec();
    let (status, body) = http(registry.local_addr(), post("/ais/register", request)).await;
    let text = String::from_utf8_lossy(&body);
    assert_eq!(status, StatusCode::PAYLOAD_TOO_LARGE);
    for part in ["32 bytes", "max_body_bytes", "--max-body-bytes"] {
        assert!(text.contains(part), "{text}");
    }
    registry.shutdown().await;
}

#[tokio::test]
async fn one_connection_too_many_is_told_which_limit_it_is() {
    let options = Options {
        max_connections: 1,
        ..Options::default()
    };
    let registry = start(options).await;
    let mut first = TcpStream::connect(registry.local_addr()).await.unwrap();
    let mut second = TcpStream::connect(registry.local_addr()).await.unwrap();
    let mut answer = String::new();
    within(second.read_to_string(&mut answer)).await.unwrap();
    for part in [
        "HTTP/1.1 503 ",
        "has 1 connections",
        "max_connections",
        "--max-connections",
    ] {
        assert!(answer.contains(part), "{answer}");
    }
    first
        .write_all(b"GET /health HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n")
        .await
        .unwrap();
    let mut answer = String::new();
    within(first.read_to_string(&mut answer)).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    registry.shutdown().await;
}

#[tokio::test]
async fn a_request_with_a_slow_head_is_closed() {
    let options = Options {
        header_timeout: Duration::from_millis(50),
        ..Options::default()
    };
    let registry = start(options).await;
    let mut stream = TcpStream::connect(registry.local_addr()).await.unwrap();
    stream.write_all(b"GET /health HTTP/1.1\r\nhost: a\r\n").await.unwrap();
    let trickle = async {
        // Never a whole head, always a further byte: only the time since its beginning can end it.
        while stream.write_all(b"x").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    within(trickle).await;
    registry.shutdown().await;
}
