//! Control records: credit, cancel, end and error of a stream, a call that nobody waits for any more, and a node that
//! shuts down.
//!
//! They are this project's own, and go only to a peer that negotiated [`crate::record::EXTENSION`].
//!
//! The two directions of a stream close it together. A sender's [`Control::End`] or [`Control::Error`] is the last
//! record of its stream. A receiver's [`Control::Cancel`] asks for that: a sender that still has the stream answers
//! with one of the two, so that the receiver knows when no frame of it can come any more.

use bytes::Bytes;
use prost::Message as _;
use thiserror::Error;

use crate::{
    error_code::ErrorCode,
    identity::{ParseStreamIdError, StreamId},
    peer_text::{PeerText, RawText},
    proto,
    record::RecordKind,
};

/// A control record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Control {
    /// To a stream's sender: this many more bytes.
    Credit {
        /// The stream.
        stream_id: StreamId,
        /// Bytes of records, headers included.
        bytes: u64,
    },
    /// To a stream's sender: stop.
    Cancel {
        /// The stream.
        stream_id: StreamId,
        /// For people.
        reason: PeerText,
    },
    /// To a stream's receiver: that was all.
    End {
        /// The stream.
        stream_id: StreamId,
        /// How many frames there were: those sent, those before the point from which a stream is resumed, and those that
        /// a latency-first stream dropped.
        frames: u64,
    },
    /// To a stream's receiver: there would be more, but it can't be sent.
    Error {
        /// The stream.
        stream_id: StreamId,
        /// How many frames there were: those sent, those before the point from which a stream is resumed, and those that
        /// a latency-first stream dropped.
        frames: u64,
        /// What kind of failure it is.
        code: ErrorCode,
        /// For people.
        message: PeerText,
    },
    /// To a call's callee: nobody waits for it.
    CallCancel {
        /// The call.
        request_id: RawText,
    },
    /// To every peer: this node shuts down. It takes no new calls; streams go on until they end or the time is over
    /// that it grants them. A receiver that can get a stream from elsewhere should now do so.
    Leaving,
}

impl Control {
    /// The stream of which a sender says that this is its last record.
    pub fn ends(&self) -> Option<&StreamId> {
        match self {
            Self::End { stream_id, .. } | Self::Error { stream_id, .. } => Some(stream_id),
            Self::Credit { .. } | Self::Cancel { .. } | Self::CallCancel { .. } | Self::Leaving => None,
        }
    }

    /// The record's kind and body.
    pub fn encode(&self) -> (RecordKind, Vec<u8>) {
        match self {
            Self::Credit { stream_id, bytes } => (
                RecordKind::StreamCredit,
                proto::StreamCredit {
                    stream_id: stream_id.to_string(),
                    bytes: *bytes,
                }
                .encode_to_vec(),
            ),
            Self::Cancel { stream_id, reason } => (
                RecordKind::StreamCancel,
                proto::StreamCancel {
                    stream_id: stream_id.to_string(),
                    reason: reason.clone().into(),
                }
                .encode_to_vec(),
            ),
            Self::End { stream_id, frames } => (
                RecordKind::StreamEnd,
                proto::StreamEnd {
                    stream_id: stream_id.to_string(),
                    frames: *frames,
                }
                .encode_to_vec(),
            ),
            Self::Error {
                stream_id,
                frames,
                code,
                message,
            } => {
                let error = proto::ErrorResponse {
                    code: code.number(),
                    message: message.clone().into(),
                };
                let message = proto::StreamError {
                    stream_id: stream_id.to_string(),
                    frames: *frames,
                    error,
                };
                (RecordKind::StreamError, message.encode_to_vec())
            }
            Self::CallCancel { request_id } => (
                RecordKind::CallCancel,
                proto::CallCancel {
                    request_id: request_id.clone().into_string(),
                }
                .encode_to_vec(),
            ),
            Self::Leaving => (RecordKind::Leaving, proto::Leaving::default().encode_to_vec()),
        }
    }

    /// Reads a record's body.
    ///
    /// # Errors
    /// When `kind` is not of a control record, or the body is not what its kind says.
    pub fn decode(kind: RecordKind, body: Bytes) -> Result<Self, ControlError> {
        let malformed = |_| ControlError::Malformed(kind);
        Ok(match kind {
            RecordKind::StreamCredit => {
                let message = proto::StreamCredit::decode(body).map_err(malformed)?;
                Self::Credit {
                    stream_id: message.stream_id.parse()?,
                    bytes: message.bytes,
                }
            }
            RecordKind::StreamCancel => {
                let message = proto::StreamCancel::decode(body).map_err(malformed)?;
                Self::Cancel {
                    stream_id: message.stream_id.parse()?,
                    reason: message.reason.into(),
                }
            }
            RecordKind::StreamEnd => {
                let message = proto::StreamEnd::decode(body).map_err(malformed)?;
                Self::End {
                    stream_id: message.stream_id.parse()?,
                    frames: message.frames,
                }
            }
            RecordKind::StreamError => {
                let message = proto::StreamError::decode(body).map_err(malformed)?;
                Self::Error {
                    stream_id: message.stream_id.parse()?,
                    frames: message.frames,
                    code: message.error.code.into(),
                    message: message.error.message.into(),
                }
            }
            RecordKind::CallCancel => {
                let message = proto::CallCancel::decode(body).map_err(malformed)?;
                Self::CallCancel {
                    request_id: message.request_id.into(),
                }
            }
            RecordKind::Leaving => {
                proto::Leaving::decode(body).map_err(malformed)?;
                Self::Leaving
            }
            kind => return Err(ControlError::NotControl(kind)),
        })
    }
}

/// Why a record is not a control record.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ControlError {
    /// Its kind is another.
    #[error("a {0:?} record is not a control record")]
    NotControl(RecordKind),
    /// Its body can't be decoded.
    #[error("a {0:?} record can't be decoded")]
    Malformed(RecordKind),
    /// It names no stream.
    #[error(transparent)]
    StreamId(#[from] ParseStreamIdError),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_control_record_is_read_as_it_was_written() {
        let stream_id: StreamId = "ab12cd34".parse().unwrap();
        for control in [
            Control::Credit {
                stream_id: stream_id.clone(),
                bytes: u64::MAX,
            },
            Control::Cancel {
                stream_id: stream_id.clone(),
                reason: "enough".into(),
            },
            Control::End {
                stream_id: stream_id.clone(),
                frames: 0,
            },
            Control::Error {
                stream_id,
                frames: 3,
                code: ErrorCode::Internal,
                message: "the disk is full".into(),
            },
            Control::CallCancel {
                request_id: "r-1".into(),
            },
            Control::Leaving,
        ] {
            let (kind, body) = control.encode();
            assert!(kind.is_control());
            assert_eq!(Control::decode(kind, body.into()), Ok(control));
        }
    }

    #[test]
    fn a_body_that_is_not_its_kinds_is_refused() {
        let junk = Bytes::from_static(&[0xff, 0xff]);
        assert_eq!(
            Control::decode(RecordKind::StreamEnd, junk.clone()),
            Err(ControlError::Malformed(RecordKind::StreamEnd))
        );
        assert_eq!(
            Control::decode(RecordKind::RpcReliable, junk),
            Err(ControlError::NotControl(RecordKind::RpcReliable))
        );
        assert!(matches!(
            Control::decode(RecordKind::StreamEnd, Bytes::new()),
            Err(ControlError::StreamId(_))
        ));
    }
}
