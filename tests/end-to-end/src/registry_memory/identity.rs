//! Who registers at a registry, and what it sends there.

use std::net::{Ipv4Addr, SocketAddr};

use actr_lite::{ActrId, ActrType};
use actr_lite_wire::proto::{
    AIdCredential, ActrToSignaling, Realm, RegisterRequest, RegisterResponse, SignalingEnvelope,
    actr_to_signaling::Payload as Request, register_response::Result as Registered, signaling_envelope::Flow,
};
use data_encoding::BASE64;
use prost::Message as _;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpSocket, TcpStream},
};

/// A connection to the registry from one of the addresses of the loopback network.
pub(super) async fn connect(registry: SocketAddr, from: Ipv4Addr) -> std::io::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    socket.bind((from, 0).into())?;
    // Whoever does not read, holds little in the system's buffers.
    socket.set_recv_buffer_size(4096)?;
    socket.connect(registry).await
}

/// A registry, and the secret that is shown there.
#[derive(Clone, Copy)]
pub(super) struct Door {
    pub(super) registry: SocketAddr,
    pub(super) secret: &'static str,
}

impl Door {
    pub(super) fn post(&self, len: usize) -> Vec<u8> {
        let Self { registry, secret } = self;
        format!(
            "POST /ais/register HTTP/1.1\r\nhost: {registry}\r\nx-actrix-realm-secret: {secret}\r\n\
             content-type: application/x-protobuf\r\ncontent-length: {len}\r\n\r\n"
        )
        .into_bytes()
    }
}

pub(super) struct Identity {
    pub(super) id: ActrId,
    pub(super) credential: AIdCredential,
}

/// Registers over a connection that stays open; nothing where it is refused.
pub(super) async fn register(stream: &mut TcpStream, door: Door, request: &RegisterRequest) -> Option<Identity> {
    let body = request.encode_to_vec();
    stream.write_all(&door.post(body.len())).await.ok()?;
    stream.write_all(&body).await.ok()?;
    let mut answer = Vec::new();
    let end = loop {
        if stream.read_buf(&mut answer).await.ok()? == 0 {
            return None;
        }
        if let Some(end) = answer.windows(4).position(|window| window == b"\r\n\r\n") {
            break end + 4;
        }
    };
    let head = String::from_utf8_lossy(&answer[..end]).into_owned();
    let len = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    let len: usize = len.and_then(|len| len.parse().ok()).unwrap_or_default();
    while answer.len() < end + len {
        if stream.read_buf(&mut answer).await.ok()? == 0 {
            return None;
        }
    }
    match RegisterResponse::decode(&answer[end..]).ok()?.result? {
        Registered::Success(granted) => Some(Identity {
            id: ActrId::try_from(&granted.actr_id).unwrap(),
            credential: granted.credential,
        }),
        Registered::Error(_) => None,
    }
}

pub(super) fn registration(actr_type: &str, realm_id: u32) -> RegisterRequest {
    RegisterRequest {
        actr_type: (&actr_type.parse::<ActrType>().unwrap()).into(),
        realm: Realm { realm_id },
        auth_mode: Some(2),
        ..RegisterRequest::default()
    }
}

impl Identity {
    pub(super) async fn open(&self, mut stream: TcpStream, registry: SocketAddr) -> Option<TcpStream> {
        let AIdCredential {
            key_id,
            claims,
            signature,
        } = &self.credential;
        let escaped = |bytes: &[u8]| BASE64.encode(bytes).replace('+', "%2B");
        let (claims, signature, id) = (escaped(claims), escaped(signature), &self.id);
        let head = format!(
            "GET /signaling/ws?actor_id={id}&key_id={key_id}&claims={claims}&signature={signature} HTTP/1.1\r\nhost: \
             {registry}\r\nconnection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n\
             sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).await.ok()?;
        let mut answer = Vec::new();
        while !answer.ends_with(b"\r\n\r\n") {
            answer.push(stream.read_u8().await.ok()?);
        }
        answer.starts_with(b"HTTP/1.1 101 ").then_some(stream)
    }

    /// A frame with a request.
    pub(super) fn asks(&self, payload: Request) -> Vec<u8> {
        self.says(Flow::ActrToServer(ActrToSignaling {
            source: (&self.id).into(),
            credential: self.credential.clone(),
            payload: Some(payload),
        }))
    }

    pub(super) fn says(&self, flow: Flow) -> Vec<u8> {
        let envelope = SignalingEnvelope {
            envelope_version: 1,
            envelope_id: "1".into(),
            flow: Some(flow),
            ..SignalingEnvelope::default()
        };
        framed(&envelope.encode_to_vec())
    }
}

/// A binary message of a client, under a mask that changes nothing (RFC 6455 §5.2).
pub(super) fn framed(message: &[u8]) -> Vec<u8> {
    let len = u16::try_from(message.len()).unwrap();
    [&[0x82, 0x80 | 126][..], &len.to_be_bytes(), &[0; 4], message].concat()
}
