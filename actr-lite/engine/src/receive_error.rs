//! How a peer breaks the protocol with what it sends.

use actr_lite_quota::Limit;
use actr_lite_wire::{
    control::ControlError,
    credit::CreditError,
    envelope::EnvelopeError,
    frame::FrameError,
    partial_record::PartError,
    record::{RecordError, RecordKind},
    websocket::CloseCode,
};
use thiserror::Error;

/// How a peer broke the protocol: its connection is to be closed.
#[derive(Debug, Error)]
pub enum ReceiveError {
    /// It is no record.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// It is no envelope.
    #[error(transparent)]
    Envelope(#[from] EnvelopeError),
    /// It is no frame.
    #[error(transparent)]
    Frame(#[from] FrameError),
    /// It is no control record.
    #[error(transparent)]
    Control(#[from] ControlError),
    /// It grants what can't be granted.
    #[error(transparent)]
    Credit(#[from] CreditError),
    /// Its parts make no record.
    #[error(transparent)]
    Part(#[from] PartError),
    /// A frame's stream can't be one.
    #[error("a stream id is not valid")]
    StreamId,
    /// It is longer than what was agreed on.
    #[error("a record of {len} bytes is over the limit of {limit} bytes")]
    TooLong {
        /// The length of its body.
        len: usize,
        /// The longest that is taken.
        limit: usize,
    },
    /// There are more of them than one message may hold.
    #[error("a message with more than {limit} records")]
    TooMany {
        /// The most that are taken.
        limit: usize,
    },
    /// The peer may not make this node hold it.
    #[error("this node has {0}")]
    OverShare(Limit),
    /// The kind is one of the extension.
    #[error("{0:?} records need the extension, which was not agreed on")]
    NotExtended(RecordKind),
    /// There are several of them.
    #[error("several records in one message need the extension, which was not agreed on")]
    Batch,
}

impl ReceiveError {
    /// The code to close the connection with (RFC 6455 §7.4.1).
    pub fn close_code(&self) -> CloseCode {
        match self {
            Self::TooLong { .. } | Self::Part(PartError::TooLong { .. }) => CloseCode::MESSAGE_TOO_BIG,
            // What a record holds is not what its kind says.
            Self::Envelope(_) | Self::Frame(_) | Self::Control(_) | Self::StreamId => CloseCode::INVALID_PAYLOAD,
            Self::OverShare(_) => CloseCode::POLICY_VIOLATION,
            Self::Record(_)
            | Self::Part(_)
            | Self::Credit(_)
            | Self::NotExtended(_)
            | Self::Batch
            | Self::TooMany { .. } => CloseCode::PROTOCOL_ERROR,
        }
    }
}
