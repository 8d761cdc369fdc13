use actr_lite_quota::Limit;
use std::{fmt::Display, time::Duration};

use actr_lite_registry_client::RegistryLinkError;
use actr_lite_wire::{
    envelope::ErrorReply,
    error_code::ErrorCode,
    identity::{ActrId, ParseStreamIdError},
    peer_text::PeerText,
};
use thiserror::Error;

use crate::{
    error::{dest::Dest, discover_error::DiscoverError},
    lane::close_reason::CloseReason,
    limits::occupancy::MetadataTooLong,
    readable_duration::readable,
    stream::{send_error::SendError, subscriptions::SubscribeError},
};

/// Why a call, a discovery or a stream failed.
///
/// A handler returns one to refuse a call; its code and text then travel to the caller.
#[derive(Debug, Clone, Error)]
#[non_exhaustive]
pub enum ActrError {
    /// A handler's own refusal or failure.
    #[error("{message}")]
    Failed {
        /// The kind of failure.
        code: ErrorCode,
        /// For people.
        message: PeerText,
    },
    /// The callee answered with an error.
    #[error("{dest} refused {route}: {reply}")]
    Remote {
        /// Who was called.
        dest: Dest,
        /// What was called.
        route: String,
        /// What it answered.
        reply: ErrorReply,
    },
    /// Nobody answered in time.
    #[error("{dest} did not answer {route} within {}", readable(*.after))]
    TimedOut {
        /// Who was called.
        dest: Dest,
        /// What was called.
        route: String,
        /// The call's timeout.
        after: Duration,
    },
    /// The connection to the peer ended before the answer came.
    #[error("{peer} is gone: {reason}")]
    PeerGone {
        /// Who was called.
        peer: ActrId,
        /// How the connection ended.
        reason: CloseReason,
    },
    /// No connection to the peer could be made.
    #[error("{peer} cannot be reached: {cause}")]
    Unreachable {
        /// Who was called.
        peer: ActrId,
        /// Why not.
        cause: PeerText,
    },
    /// The peer's access list, or its realm, lets this node not in.
    #[error("{peer} does not admit this node: {reason}")]
    NotAdmitted {
        /// Who was dialled.
        peer: ActrId,
        /// What it says.
        reason: PeerText,
    },
    /// No server could be found.
    #[error(transparent)]
    Discover(#[from] DiscoverError),
    /// The registry could not be asked.
    #[error(transparent)]
    Registry(#[from] RegistryLinkError),
    /// A frame could not be sent, or a stream not be opened.
    #[error(transparent)]
    Send(#[from] SendError),
    /// A stream could not be subscribed to.
    #[error(transparent)]
    Subscribe(#[from] SubscribeError),
    /// The answer is not the message it should be.
    #[error("the answer of {dest} to {route} cannot be decoded: {cause}")]
    Answer {
        /// Who was called.
        dest: Dest,
        /// What was called.
        route: String,
        /// What prost says.
        cause: PeerText,
    },
    /// A message is longer than a record may be.
    #[error(
        "a message of {len} bytes is over the record limit of {limit} bytes; send it as a stream of smaller frames, or raise \
         [system.websocket] max_record_bytes of both nodes"
    )]
    TooLong {
        /// The message's length.
        len: usize,
        /// The lower of the two nodes' limits.
        limit: usize,
    },
    /// A call's metadata is longer than this node allows.
    #[error(
        "the metadata of a call has {len} bytes, but this node allows {}; send less, or raise {} in its Actr.toml",
        .limit.value(), .limit.key()
    )]
    MetadataTooLong {
        /// The length of all keys and values together.
        len: usize,
        /// The limit.
        limit: Limit,
    },
    /// A limit of this node is reached.
    #[error("this node has {0}")]
    Busy(Limit),
    /// This node is shutting down.
    #[error("this node is shutting down")]
    Stopping,
}

impl From<MetadataTooLong> for ActrError {
    fn from(MetadataTooLong { len, limit }: MetadataTooLong) -> Self {
        Self::MetadataTooLong { len, limit }
    }
}

impl From<Limit> for ActrError {
    fn from(limit: Limit) -> Self {
        Self::Busy(limit)
    }
}

impl ActrError {
    /// A handler's own refusal or failure.
    pub fn new(code: ErrorCode, message: impl Into<PeerText>) -> Self {
        Self::Failed {
            code,
            message: message.into(),
        }
    }

    /// The request asks for something that is not possible.
    pub fn invalid_argument(message: impl Display) -> Self {
        Self::new(ErrorCode::InvalidArgument, PeerText::of(&message))
    }

    /// The callee failed because of its own fault.
    pub fn internal(message: impl Display) -> Self {
        Self::new(ErrorCode::Internal, PeerText::of(&message))
    }

    /// It is not possible now, but may be later.
    pub fn unavailable(message: impl Display) -> Self {
        Self::new(ErrorCode::Unavailable, PeerText::of(&message))
    }

    /// Whether a retry may succeed: a server may start, be replaced, or have room again.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Discover(error) => error.is_transient(),
            Self::Registry(RegistryLinkError::Stopped) | Self::Stopping => false,
            Self::Registry(_)
            | Self::Unreachable { .. }
            | Self::PeerGone { .. }
            | Self::Busy(_)
            | Self::Subscribe(SubscribeError::TooMany(_))
            | Self::TimedOut { .. } => true,
            Self::Failed { code, .. } => is_transient_code(*code),
            Self::Remote { reply, .. } => is_transient_code(reply.code),
            Self::Send(error) => is_transient_code(error.code()),
            _ => false,
        }
    }

    /// What kind of failure it is, as it travels to a caller.
    pub fn code(&self) -> ErrorCode {
        match self {
            Self::Failed { code, .. } => *code,
            Self::Remote { reply, .. } => reply.code,
            Self::TimedOut { .. } => ErrorCode::TimedOut,
            Self::PeerGone { .. } | Self::Unreachable { .. } => ErrorCode::ConnectionNotReady,
            Self::NotAdmitted { .. } => ErrorCode::PermissionDenied,
            Self::Discover(_) => ErrorCode::DependencyNotFound,
            Self::Registry(_) | Self::Busy(_) | Self::Stopping => ErrorCode::Unavailable,
            Self::Send(error) => error.code(),
            Self::Subscribe(SubscribeError::TooMany(_)) => ErrorCode::Unavailable,
            Self::Subscribe(_) | Self::TooLong { .. } | Self::MetadataTooLong { .. } => ErrorCode::InvalidArgument,
            Self::Answer { .. } => ErrorCode::DecodeFailure,
        }
    }

    /// The answer that a caller gets.
    pub(crate) fn to_reply(&self) -> ErrorReply {
        ErrorReply {
            code: self.code(),
            message: PeerText::of(self),
        }
    }
}

fn is_transient_code(code: ErrorCode) -> bool {
    matches!(
        code,
        ErrorCode::Unavailable | ErrorCode::TimedOut | ErrorCode::ConnectionNotReady
    )
}

impl From<ParseStreamIdError> for ActrError {
    fn from(error: ParseStreamIdError) -> Self {
        Self::invalid_argument(format!("stream_id: {error}"))
    }
}
