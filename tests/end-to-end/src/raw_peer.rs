//! A peer that keeps to no rule: bytes over sockets, and who it says it is.

use std::{
    io::{Read, Write as _},
    net::{Shutdown, SocketAddr, TcpStream},
};

use actr_lite::ActrId;
use actr_lite_wire::{
    credential::{Credential, source_id_to_header},
    proto::{
        AIdCredential, ActrId as ActrIdMessage, Realm, RegisterRequest, RegisterResponse,
        register_response::Result as Registered,
    },
};
use data_encoding::BASE64;
use harness::WAIT_TIMEOUT;
use prost::Message as _;

/// The two listeners of a server that hosts the registry.
#[derive(Clone, Copy)]
pub(crate) struct Doors {
    pub(crate) registry: SocketAddr,
    pub(crate) data_lane: SocketAddr,
}

/// Sends `bytes`, and reads until the other side closes.
pub(crate) fn exchange(address: SocketAddr, bytes: &[u8], hangs_up: bool) -> Vec<u8> {
    let mut stream = connect(address);
    // What is too long may not be read to its end, and a reset after the answer is as good an end as any.
    let _ = stream.write_all(bytes);
    if hangs_up {
        let _ = stream.shutdown(Shutdown::Write);
    }
    let mut answer = Vec::new();
    let read = stream.read_to_end(&mut answer);
    assert!(
        !matches!(&read, Err(error) if error.kind() == std::io::ErrorKind::WouldBlock),
        "it is not closed after {}",
        String::from_utf8_lossy(bytes)
    );
    answer
}

/// Reads the head of an HTTP response, and nothing behind it.
pub(crate) fn response_head(stream: &mut impl Read) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        head.extend(byte);
    }
    String::from_utf8_lossy(&head).into_owned()
}

pub(crate) fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect_timeout(&address, WAIT_TIMEOUT).unwrap();
    stream.set_read_timeout(Some(WAIT_TIMEOUT)).unwrap();
    stream
}

/// Who is registered, without a connection to the registry that others would disturb.
#[derive(Clone)]
pub(crate) struct Identity {
    pub(crate) id: ActrId,
    pub(crate) credential: AIdCredential,
}

impl Identity {
    pub(crate) fn register(registry: SocketAddr) -> Self {
        Self::register_in(registry, 1)
    }

    pub(crate) fn register_in(registry: SocketAddr, realm_id: u32) -> Self {
        let request = RegisterRequest {
            actr_type: (&"acme:Junk:1.0.0".parse::<actr_lite::ActrType>().unwrap()).into(),
            realm: Realm { realm_id },
            auth_mode: Some(2),
            ..RegisterRequest::default()
        };
        let body = request.encode_to_vec();
        let head = format!(
            "POST /ais/register HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\
             content-type: application/x-protobuf\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        let answer = exchange(registry, &[head.as_bytes(), &body].concat(), false);
        let head = answer.windows(4).position(|window| window == b"\r\n\r\n").unwrap();
        match RegisterResponse::decode(&answer[head + 4..]).unwrap().result.unwrap() {
            Registered::Success(granted) => Self {
                id: ActrId::try_from(&granted.actr_id).unwrap(),
                credential: granted.credential,
            },
            Registered::Error(error) => panic!("{error:?}"),
        }
    }

    pub(crate) fn with_wrong_signature(&self) -> Self {
        let mut wrong = self.clone();
        wrong.credential.signature = self.credential.signature.iter().map(|byte| !byte).collect();
        wrong
    }

    /// The same proof for another id.
    pub(crate) fn forged(&self) -> Self {
        let mut message = ActrIdMessage::from(&self.id);
        message.serial_number ^= 1;
        Self {
            id: ActrId::try_from(&message).unwrap(),
            credential: self.credential.clone(),
        }
    }

    pub(crate) fn data_lane_upgrade(&self) -> Vec<u8> {
        let credential = Credential::from(self.credential.clone());
        upgrade(
            "/",
            &format!(
                "x-actr-source-id: {}\r\nx-actr-credential: {}\r\nsec-websocket-protocol: actr-lite.1\r\n",
                source_id_to_header(&self.id),
                credential.to_header()
            ),
        )
    }

    pub(crate) fn signaling_upgrade(&self) -> Vec<u8> {
        let AIdCredential {
            key_id,
            claims,
            signature,
        } = &self.credential;
        let (claims, signature) = (BASE64.encode(claims), BASE64.encode(signature));
        let id = &self.id;
        upgrade(
            &format!("/signaling/ws?actor_id={id}&key_id={key_id}&claims={claims}&signature={signature}"),
            "",
        )
    }
}

pub(crate) fn upgrade(path: &str, fields: &str) -> Vec<u8> {
    format!(
        "GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
         sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n{fields}\r\n"
    )
    .into_bytes()
}

/// The start of a masked binary WebSocket frame that announces this many bytes (RFC 6455 §5.2).
pub(crate) fn frame_header(len: u64) -> Vec<u8> {
    [&[0x82, 0x80 | 127], &len.to_be_bytes()[..], &[0; 4]].concat()
}
