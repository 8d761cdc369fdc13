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

/// How a peer broke the protocol.
#[derive(Debug, Error)]
pub(crate) enum ReceiveError {
    #[error(transparent)]
    Record(#[from] RecordError),
    #[error(transparent)]
    Envelope(#[from] EnvelopeError),
    #[error(transparent)]
    Frame(#[from] FrameError),
    #[error(transparent)]
    Control(#[from] ControlError),
    #[error(transparent)]
    Credit(#[from] CreditError),
    #[error(transparent)]
    Part(#[from] PartError),
    #[error("a stream id is not valid")]
    StreamId,
    #[error("a record of {len} bytes is over the limit of {limit} bytes")]
    TooLong { len: usize, limit: usize },
    #[error("this node has {0}")]
    OverShare(Limit),
    #[error("{0:?} records need the extension, which was not agreed on")]
    NotExtended(RecordKind),
    #[error("several records in one message need the extension, which was not agreed on")]
    Batch,
}

impl ReceiveError {
    /// The code to close the connection with (RFC 6455 §7.4.1).
    pub(crate) fn close_code(&self) -> CloseCode {
        match self {
            Self::TooLong { .. } | Self::Part(PartError::TooLong { .. }) => CloseCode::MESSAGE_TOO_BIG,
            // What a record holds is not what its kind says.
            Self::Envelope(_) | Self::Frame(_) | Self::Control(_) | Self::StreamId => CloseCode::INVALID_PAYLOAD,
            Self::OverShare(_) => CloseCode::POLICY_VIOLATION,
            Self::Record(_) | Self::Part(_) | Self::Credit(_) | Self::NotExtended(_) | Self::Batch => {
                CloseCode::PROTOCOL_ERROR
            }
        }
    }
}
