use std::net::SocketAddr;

use actr_lite::{ActrId, ActrRef};
use actr_lite_registry::client::{Identity, LinkConfig, RegistryLink};
use actr_lite_wire::{
    credential::{self, Credential},
    envelope::Envelope,
    record::{self, EXTENSION, HEADER_LEN, RecordKind},
};
use bytes::Bytes;
use futures_util::{SinkExt as _, StreamExt as _};
use prost::Message as _;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpSocket, TcpStream},
};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{
        Message,
        protocol::{CloseFrame, Role},
    },
};
use tokio_util::{
    sync::{CancellationToken, DropGuard},
    task::TaskTracker,
};

use crate::harness::{deadline::within, messages::Ask, world::World};
use actr_lite::Rpc as _;

pub(crate) const SOURCE: &str = "x-actr-source-id";
pub(crate) const CREDENTIAL: &str = "x-actr-credential";
const PROTOCOL: &str = "sec-websocket-protocol";

/// A registered peer that is not one of our nodes.
pub(crate) struct Outsider {
    pub(crate) identity: Identity,
    pub(crate) link: RegistryLink,
    _stop: DropGuard,
}

impl Outsider {
    pub(crate) async fn new(world: &World, name: &str) -> Self {
        Self::listening(world, name, None).await
    }

    /// One that says it can be dialled.
    pub(crate) async fn listening(world: &World, name: &str, address: Option<SocketAddr>) -> Self {
        Self::register(world, name, 1, address).await
    }

    pub(crate) async fn in_realm(world: &World, name: &str, realm_id: u32) -> Self {
        Self::register(world, name, realm_id, None).await
    }

    async fn register(world: &World, name: &str, realm_id: u32, address: Option<SocketAddr>) -> Self {
        let stop = CancellationToken::new();
        let actr_type = format!("acme+{name}").parse().unwrap();
        let mut config = LinkConfig::new(world.registry_url().parse().unwrap(), actr_type, realm_id);
        config.ws_address = address.map(|address| format!("ws://{address}"));
        // As official nodes: its credential is all that it shows.
        config.prover = None;
        let link = RegistryLink::spawn(config, &TaskTracker::new(), stop.clone());
        Self {
            identity: within(link.connected()).await.unwrap(),
            link,
            _stop: stop.drop_guard(),
        }
    }

    pub(crate) fn id(&self) -> &ActrId {
        &self.identity.actor_id
    }

    /// Where the data lane of a node listens, as its registry says.
    pub(crate) async fn address_of(&self, node: &ActrId) -> Option<SocketAddr> {
        let candidates = within(self.link.candidates(node.actr_type(), 8, "")).await.unwrap();
        let found = candidates.into_iter().find(|candidate| candidate.id == *node)?;
        Some(found.ws_address.unwrap().split_once("://").unwrap().1.parse().unwrap())
    }

    /// The two headers that say and prove who dials.
    pub(crate) fn headers(&self) -> Vec<(&'static str, String)> {
        headers(self.id(), &self.identity.credential)
    }

    /// Dials as an official node would.
    pub(crate) async fn dial(&self, node: &ActrRef) -> RawPeer {
        let address = self.address_of(&node.actor_id()).await.unwrap();
        dial(address, &self.headers()).await.unwrap()
    }

    /// Dials as one of our own nodes would.
    pub(crate) async fn dial_extended(&self, node: &ActrRef) -> RawPeer {
        let address = self.address_of(&node.actor_id()).await.unwrap();
        dial(address, &self.extended_headers()).await.unwrap()
    }

    /// The same with as little room as there can be for what comes. It is set before the connection is made: a window
    /// that closes behind what is on its way leaves acknowledgements outside, and both ends wait forever.
    pub(crate) async fn dial_extended_with_little_room(&self, node: &ActrRef) -> RawPeer {
        let address = self.address_of(&node.actor_id()).await.unwrap();
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(1).unwrap();
        let stream = within(socket.connect(address)).await.unwrap();
        upgrade(stream, address, &self.extended_headers()).await.unwrap()
    }

    pub(crate) fn extended_headers(&self) -> Vec<(&'static str, String)> {
        let mut headers = self.headers();
        headers.push((PROTOCOL, EXTENSION.into()));
        headers
    }
}

pub(crate) fn headers(id: &ActrId, credential: &Credential) -> Vec<(&'static str, String)> {
    vec![
        (SOURCE, credential::source_id_to_header(id)),
        (CREDENTIAL, credential.to_header()),
    ]
}

/// A data lane connection without a runtime behind it.
pub(crate) struct RawPeer {
    pub(crate) socket: WebSocketStream<TcpStream>,
    requests: u32,
    /// What is left of the last message.
    batch: Bytes,
}

/// Connects, or returns the status and the text of the refusal.
pub(crate) async fn dial(address: SocketAddr, headers: &[(&'static str, String)]) -> Result<RawPeer, (u16, String)> {
    upgrade(TcpStream::connect(address).await.unwrap(), address, headers).await
}

async fn upgrade(
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

/// A WebSocket frame as a client writes it (RFC 6455 §5.2), with a mask that changes nothing.
pub(crate) fn websocket_frame(first_byte: u8, payload: &[u8]) -> Vec<u8> {
    let len = payload.len() as u64;
    let mut frame = match len {
        0..126 => vec![first_byte, 0x80 | len as u8],
        126..0x1_0000 => [&[first_byte, 0x80 | 126], &(len as u16).to_be_bytes()[..]].concat(),
        _ => [&[first_byte, 0x80 | 127], &len.to_be_bytes()[..]].concat(),
    };
    frame.extend([0; 4]);
    frame.extend(payload);
    frame
}

/// The start of a binary message that announces this many bytes.
pub(crate) fn websocket_header(len: u64) -> Vec<u8> {
    [&[0x82, 0x80 | 127], &len.to_be_bytes()[..], &[0; 4]].concat()
}

pub(crate) fn record(kind: RecordKind, body: &[u8]) -> Vec<u8> {
    [&record::header(kind, body.len())[..], body].concat()
}

/// The body of a stream's frame.
pub(crate) fn frame(stream_id: &str, sequence: u64, payload: &[u8]) -> Vec<u8> {
    let frame = actr_lite_wire::proto::DataStream {
        stream_id: stream_id.into(),
        sequence,
        payload: Bytes::copy_from_slice(payload),
        ..Default::default()
    };
    frame.encode_to_vec()
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
