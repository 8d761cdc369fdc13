//! A connection of a data lane without a runtime behind it.

use std::net::SocketAddr;

use actr_lite::Rpc as _;
use actr_lite_wire::{
    envelope::Envelope,
    record::{self, EXTENSION, HEADER_LEN, RecordKind},
};
use bytes::Bytes;
use futures_util::{SinkExt as _, StreamExt as _};
use prost::Message as _;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{
        Message,
        protocol::{CloseFrame, Role},
    },
};

use crate::{
    harness::{deadline::within, messages::Ask},
    raw_peer::wire_bytes::record,
};

pub(crate) const PROTOCOL: &str = "sec-websocket-protocol";

/// A data lane connection without a runtime behind it.
pub(crate) struct RawPeer {
    pub(crate) socket: WebSocketStream<TcpStream>,
    requests: u32,
    /// What is left of the last message.
    batch: Bytes,
}

impl RawPeer {
    pub(crate) async fn send(&mut self, message: Message) {
        within(self.socket.send(message)).await.unwrap();
    }

    pub(crate) async fn send_record(&mut self, kind: RecordKind, body: &[u8]) {
        self.send(Message::binary(record(kind, body))).await;
    }

    /// The next record, whether or not it has a message of its own.
    pub(crate) async fn next_record(&mut self) -> (RecordKind, Bytes) {
        loop {
            if !self.batch.is_empty() {
                let span = record::span_at(&self.batch, 0).unwrap();
                let (kind, end) = (span.kind, span.end);
                let record = self.batch.split_to(end);
                return (kind, record.slice(HEADER_LEN..));
            }
            match within(self.socket.next()).await.unwrap().unwrap() {
                Message::Binary(bytes) => self.batch = bytes,
                Message::Ping(_) | Message::Pong(_) => {}
                other => panic!("{other:?}"),
            }
        }
    }

    /// The next message, which is to be a single record.
    pub(crate) async fn record(&mut self) -> (RecordKind, Bytes) {
        loop {
            match within(self.socket.next()).await.unwrap().unwrap() {
                Message::Binary(bytes) => {
                    let span = record::span_at(&bytes, 0).unwrap();
                    assert_eq!(span.end, bytes.len(), "more than one record in a message");
                    return (span.kind, bytes.slice(HEADER_LEN..));
                }
                Message::Ping(_) | Message::Pong(_) => {}
                other => panic!("{other:?}"),
            }
        }
    }

    pub(crate) fn request(&mut self, route: &str, payload: Vec<u8>) -> (String, Envelope) {
        self.requests += 1;
        let request_id = format!("raw-{}", self.requests);
        let envelope = Envelope::Request {
            request_id: request_id.as_str().into(),
            route_key: route.into(),
            payload: payload.into(),
            metadata: Vec::new(),
            trace: None,
            timeout: Some(crate::harness::deadline::BOUND),
        };
        (request_id, envelope)
    }

    /// Sends a request; its id.
    pub(crate) async fn ask(&mut self, route: &str, payload: Vec<u8>) -> String {
        let (request_id, envelope) = self.request(route, payload);
        self.send_record(RecordKind::RpcReliable, &envelope.encode()).await;
        request_id
    }

    /// The next message, which is to be the answer to this request.
    pub(crate) async fn answer(&mut self, expected: &str) -> Bytes {
        let (kind, body) = self.record().await;
        assert_eq!(kind, RecordKind::RpcReliable);
        match Envelope::decode(body).unwrap() {
            Envelope::Response { request_id, result, .. } => {
                assert_eq!(request_id, expected);
                result.unwrap()
            }
            other => panic!("{other:?}"),
        }
    }

    /// An [`Ask`] to a node that echoes.
    pub(crate) async fn round_trip(&mut self) {
        let request = Ask {
            text: "raw".into(),
            ..Ask::default()
        };
        let request_id = self.ask(Ask::ROUTE, request.encode_to_vec()).await;
        let answer = crate::harness::messages::Answer::decode(self.answer(&request_id).await).unwrap();
        assert_eq!(answer.text, "raw");
    }

    /// Reads to the end of the connection; the close frame that came.
    pub(crate) async fn closed(mut self) -> Option<CloseFrame> {
        let mut frame = None;
        while let Some(Ok(message)) = within(self.socket.next()).await {
            if let Message::Close(close) = message {
                frame = close;
            }
        }
        frame
    }
}

/// Connects, or returns the status and the text of the refusal.
pub(crate) async fn dial(address: SocketAddr, headers: &[(&'static str, String)]) -> Result<RawPeer, (u16, String)> {
    upgrade(TcpStream::connect(address).await.unwrap(), address, headers).await
}

pub(crate) async fn upgrade(
    mut stream: TcpStream,
    address: SocketAddr,
    headers: &[(&'static str, String)],
) -> Result<RawPeer, (u16, String)> {
    let mut request = format!(
        "GET / HTTP/1.1\r\nhost: {address}\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
         sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    );
    for (name, value) in headers {
        request += &format!("{name}: {value}\r\n");
    }
    request += "\r\n";
    within(stream.write_all(request.as_bytes())).await.unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(within(stream.read_u8()).await.unwrap());
    }
    let head = String::from_utf8(head).unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    if status == 101 {
        // The answer to this key is that of RFC 6455 §1.3.
        assert!(head.contains("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="), "{head}");
        let asked = headers.iter().any(|(name, _)| *name == PROTOCOL);
        assert_eq!(head.contains(EXTENSION), asked, "{head}");
        let socket = WebSocketStream::from_raw_socket(stream, Role::Client, None).await;
        return Ok(RawPeer {
            socket,
            requests: 0,
            batch: Bytes::new(),
        });
    }
    let mut reason = String::new();
    within(stream.read_to_string(&mut reason)).await.unwrap();
    Err((status, reason))
}

/// Sends `bytes` on a connection of its own, and perhaps hangs up; who sent them, and all that comes back until the node
/// closes it.
pub(crate) async fn raw(address: SocketAddr, bytes: &[u8], hangs_up: bool) -> (SocketAddr, String) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let peer = stream.local_addr().unwrap();
    // What is too long may not be read to its end.
    let _ = stream.write_all(bytes).await;
    if hangs_up {
        let _ = stream.shutdown().await;
    }
    let mut answer = Vec::new();
    let _ = within(stream.read_to_end(&mut answer)).await;
    (peer, String::from_utf8_lossy(&answer).into_owned())
}
