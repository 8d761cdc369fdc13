use std::time::Duration;

use actr_lite_engine::usage::is_unused;
use actr_lite_wire::{peer_text::PeerText, websocket::CloseCode};
use thiserror::Error;

use crate::readable_duration::readable;

/// How a connection ended.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum CloseReason {
    /// The peer closed it and said why.
    #[error("it closed the connection ({code}{})", reason_text(.reason))]
    Closed {
        /// The WebSocket close code.
        code: u16,
        /// For people; may be empty.
        reason: PeerText,
    },
    /// It broke.
    #[error("the connection broke ({0})")]
    Lost(PeerText),
    /// The peer said nothing for so long.
    #[error("it has been silent for {}", readable(*.0))]
    Silent(Duration),
    /// The peer did not follow the protocol.
    #[error("it broke the protocol: {0}")]
    Protocol(PeerText),
    /// This node closed it.
    #[error("this node closed the connection ({0})")]
    Local(String),
}

impl CloseReason {
    /// Whether the peer closed it because it had no use for it: what was sent meanwhile it has not looked at.
    pub(crate) fn is_unused(&self) -> bool {
        match self {
            Self::Closed { code, reason } => CloseCode::new(*code).is_some_and(|code| is_unused(code, reason.as_str())),
            _ => false,
        }
    }
}

fn reason_text(reason: &PeerText) -> String {
    if reason.is_empty() {
        String::new()
    } else {
        format!(": {reason}")
    }
}
