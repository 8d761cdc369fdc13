//! Why a signaling connection ends, and what its peer is told.

use actr_lite_wire::{
    misbehaviour::MisbehaviourKind,
    websocket::{CloseCode, CloseFrame},
};
use thiserror::Error;

use crate::sessions::Dismissal;

/// Why a signaling connection ends.
#[derive(Debug, Error)]
pub enum Ending {
    /// The peer has closed it, or is not there any more.
    #[error("the peer is gone")]
    Lost,
    /// The node has left.
    #[error("unregistered")]
    Unregistered,
    /// The registry wants no more of it.
    #[error(transparent)]
    Dismissed(Dismissal),
    /// The peer broke the protocol.
    #[error("{reason}")]
    Misbehaved {
        /// How.
        kind: MisbehaviourKind,
        /// How the connection is closed.
        code: CloseCode,
        /// What the peer did.
        reason: String,
    },
    /// The peer does not take what it has asked for.
    #[error("answers are not read")]
    Stalled,
    /// The registry stops.
    #[error("the registry stops")]
    Stop,
}

impl Ending {
    pub(crate) fn violation(code: CloseCode, reason: impl Into<String>) -> Self {
        Self::Misbehaved {
            kind: MisbehaviourKind::ProtocolViolation,
            code,
            reason: reason.into(),
        }
    }

    /// What the peer is told at the end; nothing if nobody is there.
    pub(crate) fn close_frame(&self) -> Option<CloseFrame> {
        let code = match self {
            Self::Lost => return None,
            Self::Unregistered | Self::Dismissed(Dismissal::Unregistered) => CloseCode::NORMAL,
            Self::Misbehaved { code, .. } => *code,
            Self::Dismissed(_) | Self::Stalled => CloseCode::POLICY_VIOLATION,
            Self::Stop => CloseCode::GOING_AWAY,
        };
        Some(CloseFrame::new(code, self.to_string()))
    }
}
