use std::{fmt, time::Duration};

use actr_lite_net::complaints::Subject;
use actr_lite_quota::Limit;
use actr_lite_wire::{
    error_code::ErrorCode,
    identity::{ActrId, StreamId},
    peer_text::PeerText,
};
use thiserror::Error;

use crate::{lane::close_reason::CloseReason, readable_duration::readable};

/// Why a frame can't be sent, or a stream not be opened.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum SendError {
    /// The connection to the receiver ended.
    #[error("{}{peer} is gone: {reason}", .stream.as_ref().map_or(String::new(), EndedStream::to_string))]
    PeerGone {
        /// The stream that used it; `None` if there was none yet.
        stream: Option<EndedStream>,
        /// The receiver.
        peer: ActrId,
        /// How the connection ended.
        reason: CloseReason,
    },
    /// The receiver cancelled the stream.
    #[error("{stream}the receiver cancelled it: {reason}")]
    Cancelled {
        /// The stream.
        stream: EndedStream,
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
    /// A stream with this id to this receiver is already open.
    #[error("a stream {0} to this receiver is already open")]
    AlreadyOpen(StreamId),
    /// A limit of this node is reached: that of all its streams, or that of those to one peer.
    #[error("this node has {0}")]
    TooManyStreams(Limit),
    /// What the receiver makes this node hold is as much as it may be: the frame can't wait for it.
    #[error("this node has {0}")]
    OverShare(Limit),
    /// The receiver has taken nothing for too long.
    #[error("{stream}the receiver has taken nothing for {} (system.limits.stall_timeout)", readable(*.after))]
    Stalled {
        /// The stream.
        stream: EndedStream,
        /// For how long.
        after: Duration,
    },
    /// Streams go to other actors, not to the node itself.
    #[error("stream {0} has no receiver on a network: the destination is this node itself")]
    Local(StreamId),
}

/// A stream that ended before it was finished.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndedStream {
    /// Its id.
    pub stream_id: StreamId,
    /// How many frames its sender had sent.
    pub frames: u64,
}

/// The text before the reason.
impl fmt::Display for EndedStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "stream {}: ended after {} frames: ", self.stream_id, self.frames)
    }
}

impl SendError {
    /// The same for a stream of which this many frames were sent.
    pub(crate) fn of(self, ended: EndedStream) -> Self {
        match self {
            Self::PeerGone { peer, reason, .. } => Self::PeerGone {
                stream: Some(ended),
                peer,
                reason,
            },
            Self::Cancelled { reason, .. } => Self::Cancelled { stream: ended, reason },
            error => error,
        }
    }

    /// What a line of a log about it has beside its sentence.
    pub(crate) fn subject(&self) -> Subject<'_> {
        let (ended, peer) = match self {
            Self::PeerGone { stream, peer, .. } => (stream.as_ref(), Some(peer)),
            Self::Cancelled { stream, .. } | Self::Stalled { stream, .. } => (Some(stream), None),
            _ => (None, None),
        };
        Subject {
            stream: ended.map(|ended| &ended.stream_id as &dyn fmt::Display),
            frames: ended.map(|ended| ended.frames),
            peer: peer.map(|peer| peer as &dyn fmt::Display),
            ..Subject::default()
        }
    }

    /// What kind of failure it is.
    pub fn code(&self) -> ErrorCode {
        match self {
            Self::PeerGone { .. } => ErrorCode::ConnectionNotReady,
            // A receiver that requests its stream again may be faster than the sender that it has just cancelled.
            Self::Cancelled { .. } | Self::AlreadyOpen(_) | Self::TooManyStreams(_) | Self::OverShare(_) => {
                ErrorCode::Unavailable
            }
            Self::Stalled { .. } => ErrorCode::TimedOut,
            Self::TooLong { .. } | Self::Local(_) => ErrorCode::InvalidArgument,
        }
    }
}
