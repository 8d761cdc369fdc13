use std::net::SocketAddr;

use actr_lite_registry::Options;
use futures_util::SinkExt as _;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};
use tokio_tungstenite::tungstenite::{Message, protocol::frame::coding::CloseCode};

use crate::client::{CLIENT, connect, register, start, within};

/// Sends `bytes` on a connection of its own; all that comes back.
pub(crate) async fn raw(address: SocketAddr, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    let mut answer = Vec::new();
    // A reset after the answer is as good an end as any.
    let _ = within(stream.read_to_end(&mut answer)).await;
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test]
async fn an_oversized_body_gets_a_413_before_it_is_sent() {
    let registry = start(Options::default()).await;
    let head = "POST /ais/register HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-type: application/x-protobuf\r\ncontent-length: 1048577\r\n\r\n";
    let answer = raw(registry.local_addr(), head.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
    assert!(answer.contains("1048576 bytes"), "{answer}");
    registry.shutdown().await;
}

#[tokio::test]
async fn a_body_that_grows_past_the_limit_gets_a_413() {
    let registry = start(Options::default()).await;
    let mut request = b"POST /ais/register HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/x-protobuf\r\ntransfer-encoding: chunked\r\n\r\n100001\r\n".to_vec();
    request.resize(request.len() + 1_048_577, 0);
    let answer = raw(registry.local_addr(), &request).await;
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
    registry.shutdown().await;
}

#[tokio::test]
async fn junk_on_the_port_ends_its_own_connection_and_nothing_else() {
    let registry = start(Options::default()).await;
    let address = registry.local_addr();
    let mut node = connect(address, &register(address, 1, CLIENT).await).await.unwrap();
    let long = format!("GET / HTTP/1.1\r\nhost: {}\r\n\r\n", "a".repeat(64 * 1024));
    for junk in [
        &b"\x16\x03\x01\x02\x00\x01\x00"[..],
        b"hello\r\n\r\n",
        &[0xff; 300],
        long.as_bytes(),
    ] {
        let answer = raw(address, junk).await;
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 4"), "{answer}");
    }
    assert!(node.discover(CLIENT).await.is_ok());
    drop(node);
    registry.shutdown().await;
}

#[tokio::test]
async fn an_invalid_envelope_closes_its_connection_with_a_reason() {
    let registry = start(Options::default()).await;
    let address = registry.local_addr();
    for (message, code) in [
        (Message::Text("hello".into()), CloseCode::Unsupported),
        (Message::Binary(vec![0xff; 9].into()), CloseCode::Invalid),
        (Message::Binary(vec![0; 64 * 1024 + 1].into()), CloseCode::Size),
    ] {
        let mut node = connect(address, &register(address, 1, CLIENT).await).await.unwrap();
        within(node.socket.send(message)).await.unwrap();
        let frame = node.closed().await.unwrap();
        assert_eq!(frame.code, code, "{}", frame.reason);
        assert!(!frame.reason.is_empty());
    }
    registry.shutdown().await;
}

#[tokio::test]
async fn connections_that_only_wait_give_way() {
    let options = Options {
        max_connections: 1,
        ..Options::default()
    };
    let registry = start(options).await;
    let address = registry.local_addr();
    let mut oldest = TcpStream::connect(address).await.unwrap();
    let mut waiting = Vec::new();
    for _ in 0..200 {
        waiting.push(TcpStream::connect(address).await.unwrap());
    }
    let mut node = connect(address, &register(address, 1, CLIENT).await).await.unwrap();
    assert_eq!(within(oldest.read(&mut [0])).await.unwrap_or(0), 0, "it is closed");
    drop(waiting);
    assert!(node.discover(CLIENT).await.is_ok());
    assert_eq!(registry.misbehaviour().total(), 0);
    registry.shutdown().await;
}

#[tokio::test]
async fn shutdown_ends_connections_that_say_nothing() {
    let registry = start(Options::default()).await;
    let address = registry.local_addr();
    let _node = connect(address, &register(address, 1, CLIENT).await).await.unwrap();
    let mut idle = TcpStream::connect(address).await.unwrap();
    idle.write_all(b"POST /ais/register HTTP/1.1\r\n").await.unwrap();
    within(registry.shutdown()).await;
}
