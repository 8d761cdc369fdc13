//! Envelopes over a WebSocket, and why a connection ends with it.

use std::time::Duration;

use actr_lite_net::message_socket::{Incoming, MessageSocket, SocketError};
use actr_lite_wire::{
    proto::SignalingEnvelope,
    websocket::{CloseCode, ProtocolError},
};
use bytes::Bytes;
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use tokio::time::timeout;

use crate::{conversation::MAX_ENVELOPE_BYTES, ending::Ending};

/// How long a node may take to accept an answer: official nodes give up waiting for it after 5 s.
const SEND_TIMEOUT: Duration = Duration::from_secs(5);

pub(crate) type Socket = MessageSocket<TokioIo<Upgraded>>;

pub(crate) async fn send(socket: &mut Socket, envelope: &SignalingEnvelope) -> Result<(), Ending> {
    match timeout(SEND_TIMEOUT, socket.send(envelope)).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) => Err(from_socket(error)),
        Err(_) => Err(Ending::Stalled),
    }
}

/// The next message. Cancel safe.
pub(crate) async fn next_message(socket: &mut Socket) -> Result<Bytes, Ending> {
    loop {
        match socket.next().await.map_err(from_socket)? {
            Incoming::Message(bytes) => return Ok(bytes),
            Incoming::Text => {
                let reason = "envelopes are binary messages";
                return Err(Ending::violation(CloseCode::UNSUPPORTED_DATA, reason));
            }
            Incoming::SignOfLife => {}
        }
    }
}

fn from_socket(error: SocketError) -> Ending {
    match error {
        SocketError::Protocol(ProtocolError::MessageTooLong { .. }) => Ending::violation(
            CloseCode::MESSAGE_TOO_BIG,
            format!("an envelope has at most {MAX_ENVELOPE_BYTES} bytes"),
        ),
        SocketError::Protocol(error) => Ending::violation(error.close_code(), error.to_string()),
        // Who is gone, or is closing, does nothing wrong.
        SocketError::Closed(_) | SocketError::Cut | SocketError::Io(_) => Ending::Lost,
    }
}
