//! Reaching a limit is an error that names it, and ends nothing that goes on already.

use std::{net::SocketAddr, time::Duration};

use actr_lite_registry::Options;
use actr_lite_wire::{error_code::ErrorCode, proto::ErrorResponse};
use hyper::StatusCode;
use prost::Message as _;
use tokio::{io::AsyncWriteExt as _, net::TcpStream};

use crate::client::{CLIENT, SERVER, ais, connect, http, post, register, renew, request, start, within};

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
    for part in [
        "pass 16 bytes of the registry's memory",
        "max_stored_bytes",
        "--max-stored-bytes",
    ] {
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
async fn bodies_on_their_way_take_no_more_than_their_share() {
    let options = Options {
        max_in_flight_bytes: 1 << 20,
        ..Options::default()
    };
    let registry = start(options).await;
    let address = registry.local_addr();
    let head = "POST /ais/register HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/x-protobuf\r\ncontent-length: 100000\r\n\r\n";
    // All but the last byte of each.
    let unfinished = [head.as_bytes(), &vec![0xff; 99_999]].concat();
    let mut slow = Vec::new();
    let refusal = loop {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(&unfinished).await.unwrap();
        slow.push(stream);
        assert!(slow.len() < 4, "a fifth of the memory holds two of them");
        let (status, answer) = http(address, post("/ais/register", vec![0xff; 100_000])).await;
        if status == StatusCode::SERVICE_UNAVAILABLE {
            break answer;
        }
    };
    let refusal = String::from_utf8_lossy(&refusal);
    for part in ["under way would pass 1048576 bytes", "--max-in-flight-bytes"] {
        assert!(refusal.contains(part), "{refusal}");
    }
    register(address, 1, CLIENT).await;
    drop(slow);
    within(async {
        while http(address, post("/ais/register", vec![0xff; 100_000])).await.0 != StatusCode::BAD_REQUEST {}
    })
    .await;
    registry.shutdown().await;
}

#[tokio::test]
async fn one_connection_too_many_is_told_which_limit_it_is() {
    let limit = |all: usize, per_address: Option<usize>, per_realm: Option<usize>| Options {
        max_connections: all,
        max_connections_per_address: per_address,
        max_connections_per_realm: per_realm,
        ..Options::default()
    };
    for (options, words, key) in [
        (limit(1, None, None), "has 1 connections, its limit", "max_connections"),
        (
            limit(9, Some(1), None),
            "has 1 connections from address 127.0.0.1",
            "max_connections_per_address",
        ),
        (
            limit(9, None, Some(1)),
            "has 1 connections of realm 1",
            "max_connections_per_realm",
        ),
    ] {
        let registry = start(options).await;
        let address = registry.local_addr();
        let mut first = connect(address, &register(address, 1, SERVER).await).await.unwrap();
        let second = register(address, 1, CLIENT).await;
        let (status, answer) = connect(address, &second).await.err().unwrap();
        assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
        for part in [words, key, &format!("--{}", key.replace('_', "-"))] {
            assert!(answer.contains(part), "{answer}");
        }
        assert_eq!(registry.misbehaviour().total(), 0);
        assert!(first.discover(SERVER).await.is_ok());
        drop(first);
        // The place is free as soon as the registry has noticed.
        within(async { while connect(address, &second).await.is_err() {} }).await;
        registry.shutdown().await;
    }
}

#[tokio::test]
async fn a_node_renews_and_reconnects_at_a_full_registry() {
    let options = Options {
        max_connections: 2,
        ..Options::default()
    };
    let registry = start(options).await;
    let address = registry.local_addr();
    let mut granted = register(address, 1, SERVER).await;
    let first = connect(address, &granted).await.unwrap();
    let _other = connect(address, &register(address, 1, CLIENT).await).await.unwrap();
    let surplus = register(address, 1, CLIENT).await;
    assert!(connect(address, &surplus).await.is_err(), "all places are taken");
    // More connections that only wait than there can be.
    let mut waiting = Vec::new();
    for _ in 0..200 {
        waiting.push(TcpStream::connect(address).await.unwrap());
        granted = renew(address, &granted).await.unwrap();
    }
    let mut second = connect(address, &granted).await.unwrap();
    assert!(second.discover(SERVER).await.is_ok());
    let closed = first.closed().await.unwrap();
    assert_eq!(closed.reason, "a newer connection of this actor");
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
    stream
        .write_all(b"GET /health HTTP/1.1\r\nhost: localhost\r\n")
        .await
        .unwrap();
    let trickle = async {
        // Never a whole head, always a further byte: only the time since its beginning can end it.
        while stream.write_all(b"x").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    within(trickle).await;
    registry.shutdown().await;
}
