use actr_lite_wire::{
    error_code::ErrorCode,
    identity::{ActrId, StreamId},
    peer_text::PeerText,
};
use thiserror::Error;

use crate::{Limit, lane::CloseReason};

/// Why a frame can't be sent, or a stream not be opened.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum SendError {
    /// The connection to the receiver ended.
    #[error("{peer} is gone: {reason}")]
    PeerGone {
        /// The receiver.
        peer: ActrId,
        /// How the connection ended.
        reason: CloseReason,
    },
    /// The receiver wants no more of this stream.
    #[error("the receiver cancelled stream {stream_id}: {reason}")]
    Cancelled {
        /// The stream.
        stream_id: StreamId,
        /// What the receiver says.
        reason: PeerText,
    },
    /// The frame is longer than a record may be.
    #[error(
        "a frame of {len} bytes is over the record limit of {limit} bytes; cut the payload into several frames, or raise \
         [system.websocket] max_record_bytes of both nodes"
    )]
    TooLong {
        /// The encoded frame's length.
        len: usize,
        /// The lower of the two nodes' limits.
        limit: usize,
    },
    /// A stream of this id to this receiver is open already.
    #[error("a stream {0} to this receiver is open already")]
    AlreadyOpen(StreamId),
    /// A limit of this node is reached: that of all its streams, or that of those to one peer.
    #[error("this node has {0}")]
    TooManyStreams(Limit),
    /// Streams go to other actors, not to the own node.
    #[error("stream {0} has no receiver on a network: the destination is this node itself")]
    Local(StreamId),
}

impl SendError {
    /// What kind of failure it is.
    pub fn code(&self) -> ErrorCode {
        match self {
            Self::PeerGone { .. } => ErrorCode::ConnectionNotReady,
            // A receiver that asks for its stream anew may be faster than the sender that it has just cancelled.
            Self::Cancelled { .. } | Self::AlreadyOpen(_) | Self::TooManyStreams(_) => ErrorCode::Unavailable,
            Self::TooLong { .. } | Self::Local(_) => ErrorCode::InvalidArgument,
        }
    }
}
