use actr_lite_wire::{acl::AclRefusal, error_code::ErrorCode, identity::ActrId, peer_text::PeerText};
use thiserror::Error;

use crate::lane::close_reason::CloseReason;

/// How a stream ended, as its receiver sees it. All earlier frames have been handed over.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum StreamEnd {
    /// The sender sent everything.
    #[error("the sender finished after {frames} frames")]
    Finished {
        /// How many frames there were: those that it sent, those before the point from which it was resumed, and in a
        /// latency-first stream those that it dropped.
        frames: u64,
    },
    /// The sender failed.
    #[error("the sender gave up after {frames} frames: {message} ({code})")]
    Failed {
        /// How many frames there were: those that it sent, those before the point from which it was resumed, and in a
        /// latency-first stream those that it dropped.
        frames: u64,
        /// The kind of failure.
        code: ErrorCode,
        /// For people.
        message: PeerText,
    },
    /// The connection to the sender ended. With a sender that does not speak this project's extension, a finished
    /// stream looks the same.
    #[error("{peer} is gone: {reason}")]
    PeerGone {
        /// The sender.
        peer: ActrId,
        /// How the connection ended.
        reason: CloseReason,
    },
    /// This node asked for the stream, but its own access control list denies the sender.
    #[error("its frames are refused: {0}")]
    Denied(AclRefusal),
    /// A frame of a reliable stream is missing, so neither it nor later ones are delivered.
    #[error("frame {came} arrived instead of frame {expected}")]
    Gap {
        /// The expected number.
        expected: u64,
        /// The number that arrived.
        came: u64,
    },
    /// The sender broke the protocol.
    #[error("the sender broke the protocol: {0}")]
    Protocol(PeerText),
    /// The receiver unregistered or dropped it.
    #[error("this node unregistered the stream")]
    Cancelled,
    /// The receiver's node has shut down.
    #[error("this node has shut down")]
    Stopped,
    /// The callback panicked.
    #[error("the stream's callback panicked: {0}")]
    Panicked(PeerText),
}

impl StreamEnd {
    /// What is counted for it.
    pub(crate) fn word(&self) -> &'static str {
        match self {
            Self::Finished { .. } => "finished",
            Self::Failed { .. } => "failed",
            Self::PeerGone { .. } => "peer_gone",
            Self::Denied(_) => "denied",
            Self::Gap { .. } => "gap",
            Self::Protocol(_) => "protocol",
            Self::Cancelled => "cancelled",
            Self::Stopped => "stopped",
            Self::Panicked(_) => "panicked",
        }
    }
}
