//! A peer that misbehaves gets a reason, is counted, and logged once; nobody else notices.

mod bystander;
mod requests;
mod signaling;
mod slow;
mod told;

use std::net::SocketAddr;

use actr_lite_registry::RegistryHandle;
use actr_lite_wire::proto::{Ping, actr_to_signaling::Payload as Request, register_response::RegisterOk};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use crate::client::{CLIENT, Signaling, connect, register, within};

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

/// A registry that has complained about enough says no more for a while; tests with more cases take a new one.
const CASES_PER_REGISTRY: usize = actr_lite_wire::log_limit::LINES_PER_WINDOW as usize;

async fn newcomer(registry: &RegistryHandle) -> (RegisterOk, Signaling) {
    let granted = register(registry.local_addr(), 1, CLIENT).await;
    let node = connect(registry.local_addr(), &granted).await.unwrap();
    (granted, node)
}
