//! Envelopes over a WebSocket, and why a connection ends.

use std::time::Duration;

use actr_lite_wire::{
    misbehaviour::MisbehaviourKind,
    proto::SignalingEnvelope,
    websocket::{CloseCode, ProtocolError},
};
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use prost::Message as _;
use thiserror::Error;
use tokio::time::timeout;

use crate::shared::Dismissal;
use actr_lite_net::message_socket::{Incoming, MessageSocket, SocketError};

/// The most bytes of a message from a node: its largest, a session description for WebRTC, has some 10 KiB.
pub(crate) const MAX_ENVELOPE_BYTES: usize = 64 * 1024;

/// How long a node may take to accept an answer: official nodes give up waiting for it after 5 s.
const SEND_TIMEOUT: Duration = Duration::from_secs(5);

pub(crate) type Socket = MessageSocket<TokioIo<Upgraded>>;

/// Why a connection ends.
#[derive(Debug, Error)]
pub(crate) enum Ending {
    #[error("the peer is gone")]
    Lost,
    #[error("unregistered")]
    Unregistered,
    #[error(transparent)]
    Dismissed(Dismissal),
    #[error("{2}")]
    Misbehaved(MisbehaviourKind, CloseCode, String),
    #[error("answers are not read")]
    Stalled,
    #[error("the registry stops")]
    Stop,
}

pub(crate) async fn send(socket: &mut Socket, envelope: &SignalingEnvelope) -> Result<(), Ending> {
    match timeout(SEND_TIMEOUT, socket.send(envelope)).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) => Err(from_socket(error)),
        Err(_) => Err(Ending::Stalled),
    }
}

/// The next envelope.
pub(crate) async fn next_envelope(socket: &mut Socket) -> Result<SignalingEnvelope, Ending> {
    loop {
        match socket.next().await.map_err(from_socket)? {
            Incoming::Message(bytes) => {
                return SignalingEnvelope::decode(bytes).map_err(|error| {
                    violation(CloseCode::INVALID_PAYLOAD, format!("not a SignalingEnvelope: {error}"))
                });
            }
            Incoming::Text => {
                let reason = "envelopes are binary messages";
                return Err(violation(CloseCode::UNSUPPORTED_DATA, reason));
            }
            Incoming::SignOfLife => {}
        }
    }
}

fn violation(code: CloseCode, reason: impl Into<String>) -> Ending {
    Ending::Misbehaved(MisbehaviourKind::ProtocolViolation, code, reason.into())
}

fn from_socket(error: SocketError) -> Ending {
    match error {
        SocketError::Protocol(ProtocolError::MessageTooLong { .. }) => violation(
            CloseCode::MESSAGE_TOO_BIG,
            format!("an envelope has at most {MAX_ENVELOPE_BYTES} bytes"),
        ),
        SocketError::Protocol(error) => violation(error.close_code(), error.to_string()),
        // Who is gone, or is closing, does nothing wrong.
        SocketError::Closed(_) | SocketError::Cut | SocketError::Io(_) => Ending::Lost,
    }
}
