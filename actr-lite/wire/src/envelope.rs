//! Calls, answers, and messages without an answer.

use bytes::Bytes;
use prost::Message as _;
use std::time::Duration;
use thiserror::Error;

use crate::{
    error_code::ErrorCode,
    metadata_field,
    peer_text::{PeerText, RawText},
    proto,
    trace_context::TraceContext,
    trace_fields,
};

const REQUEST: i32 = 1;
const RESPONSE: i32 = 2;
const TELL: i32 = 3;

/// What an `RpcEnvelope` says.
#[derive(Debug, Clone, PartialEq)]
pub enum Envelope {
    /// Asks for an answer.
    Request {
        /// Globally unique.
        request_id: RawText,
        /// `package.Service.Method`.
        route_key: RawText,
        /// The encoded request.
        payload: Bytes,
        /// Metadata beside the payload.
        metadata: Vec<(String, String)>,
        /// What caused it; `None` if the caller says nothing of it that can be read.
        trace: Option<TraceContext>,
        /// How long the caller waits; `None` if it does not say so, against the protocol.
        timeout: Option<Duration>,
    },
    /// Answers a request.
    Response {
        /// The request's.
        request_id: RawText,
        /// The request's.
        route_key: RawText,
        /// The encoded response, or why there is none.
        result: Result<Bytes, ErrorReply>,
    },
    /// Asks for nothing.
    Tell {
        /// Globally unique.
        request_id: RawText,
        /// `package.Service.Method`.
        route_key: RawText,
        /// The encoded message.
        payload: Bytes,
        /// Metadata beside the payload.
        metadata: Vec<(String, String)>,
        /// What caused it; `None` if the caller says nothing of it that can be read.
        trace: Option<TraceContext>,
    },
}

/// Why a call failed, as the callee says it.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{message} ({code})")]
pub struct ErrorReply {
    /// What kind of failure it is.
    pub code: ErrorCode,
    /// For people.
    pub message: PeerText,
}

impl Envelope {
    /// The bytes of the message.
    pub fn encode(self) -> Vec<u8> {
        let (message, trace) = match self {
            Self::Request {
                request_id,
                route_key,
                payload,
                metadata,
                trace,
                timeout,
            } => {
                let message = proto::RpcEnvelope {
                    request_id: request_id.into_string(),
                    route_key: route_key.into_string(),
                    payload: Some(payload),
                    metadata: to_entries(metadata),
                    direction: Some(REQUEST),
                    // A wait of less than a millisecond would read as none at all.
                    timeout_ms: timeout.map(|wait| i64::try_from(wait.as_millis()).unwrap_or(i64::MAX).max(1)),
                    ..Default::default()
                };
                (message, trace)
            }
            Self::Response {
                request_id,
                route_key,
                result,
            } => {
                let (payload, error) = match result {
                    Ok(payload) => (Some(payload), None),
                    Err(reply) => {
                        let error = proto::ErrorResponse {
                            code: reply.code.number(),
                            message: reply.message.into(),
                        };
                        (None, Some(error))
                    }
                };
                let message = proto::RpcEnvelope {
                    request_id: request_id.into_string(),
                    route_key: route_key.into_string(),
                    payload,
                    error,
                    direction: Some(RESPONSE),
                    ..Default::default()
                };
                (message, None)
            }
            Self::Tell {
                request_id,
                route_key,
                payload,
                metadata,
                trace,
            } => {
                let message = proto::RpcEnvelope {
                    request_id: request_id.into_string(),
                    route_key: route_key.into_string(),
                    payload: Some(payload),
                    metadata: to_entries(metadata),
                    direction: Some(TELL),
                    ..Default::default()
                };
                (message, trace)
            }
        };
        let trace_len = trace.as_ref().map_or(0, trace_fields::encoded_len);
        let mut bytes = Vec::with_capacity(message.encoded_len() + trace_len);
        message.encode_raw(&mut bytes);
        if let Some(trace) = &trace {
            trace_fields::append(trace, &mut bytes);
        }
        bytes
    }

    /// Reads a message whose metadata may cost `max_metadata` bytes, as [`metadata_cost`] counts them.
    ///
    /// An empty entry takes three bytes in a message and many times as much in memory: nothing is reserved for entries
    /// that can't be within the limit.
    ///
    /// # Errors
    /// When the bytes are not an envelope, one that breaks the protocol's rules, or one with too much metadata.
    pub fn decode_within(max_metadata: usize, bytes: Bytes) -> Result<Self, EnvelopeError> {
        let entries = metadata_field::count(&bytes).ok_or(EnvelopeError::Malformed)?;
        let cost = entries.saturating_mul(METADATA_ENTRY_COST);
        if cost <= max_metadata {
            return Self::decode(bytes);
        }
        let rest = metadata_field::without(&bytes).ok_or(EnvelopeError::Malformed)?;
        Err(EnvelopeError::Metadata {
            cost,
            rest: Box::new(Self::decode(rest.into())?),
        })
    }

    /// Reads a message, whatever its metadata costs.
    ///
    /// # Errors
    /// When the bytes are not an envelope, or one that breaks the protocol's rules.
    pub fn decode(bytes: Bytes) -> Result<Self, EnvelopeError> {
        let message = proto::RpcEnvelope::decode(bytes).map_err(|_| EnvelopeError::Malformed)?;
        let proto::RpcEnvelope {
            request_id, route_key, ..
        } = message;
        if request_id.is_empty() {
            return Err(EnvelopeError::NoRequestId);
        }
        let (request_id, route_key) = (RawText::from(request_id), RawText::from(route_key));
        let trace = trace_fields::parse(message.traceparent, message.tracestate);
        match message.direction {
            Some(REQUEST) => Ok(Self::Request {
                timeout: message
                    .timeout_ms
                    .and_then(|ms| u64::try_from(ms).ok())
                    .filter(|ms| *ms > 0)
                    .map(Duration::from_millis),
                request_id,
                route_key,
                payload: message.payload.unwrap_or_default(),
                metadata: from_entries(message.metadata),
                trace,
            }),
            Some(RESPONSE) => Ok(Self::Response {
                request_id,
                route_key,
                result: match (message.payload, message.error) {
                    (_, Some(error)) => Err(ErrorReply {
                        code: error.code.into(),
                        message: error.message.into(),
                    }),
                    (Some(payload), None) => Ok(payload),
                    (None, None) => Err(ErrorReply {
                        code: ErrorCode::DecodeFailure,
                        message: "the response has neither a payload nor an error".into(),
                    }),
                },
            }),
            Some(TELL) => Ok(Self::Tell {
                request_id,
                route_key,
                payload: message.payload.unwrap_or_default(),
                metadata: from_entries(message.metadata),
                trace,
            }),
            direction => Err(EnvelopeError::Direction(direction)),
        }
    }
}

/// What an entry of metadata costs beside its key and its value: a place in a list, and two small pieces of memory.
pub const METADATA_ENTRY_COST: usize = 64;

/// What metadata costs: keys and values, and [`METADATA_ENTRY_COST`] for each entry.
pub fn metadata_cost(metadata: &[(String, String)]) -> usize {
    metadata
        .iter()
        .map(|(key, value)| METADATA_ENTRY_COST + key.len() + value.len())
        .sum()
}

fn to_entries(metadata: Vec<(String, String)>) -> Vec<proto::MetadataEntry> {
    metadata
        .into_iter()
        .map(|(key, value)| proto::MetadataEntry { key, value })
        .collect()
}

fn from_entries(entries: Vec<proto::MetadataEntry>) -> Vec<(String, String)> {
    entries.into_iter().map(|entry| (entry.key, entry.value)).collect()
}

impl EnvelopeError {
    /// Whether the peer can't be understood at all; otherwise only this envelope is to be dropped.
    pub fn is_fatal(&self) -> bool {
        matches!(self, Self::Malformed)
    }
}

/// Why bytes are not an envelope.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum EnvelopeError {
    /// The bytes can't be decoded.
    #[error("the envelope can't be decoded")]
    Malformed,
    /// There is no request id.
    #[error("the envelope has no request id")]
    NoRequestId,
    /// It is neither a request, nor a response, nor a tell.
    #[error("the envelope's direction is {0:?}: neither request, response nor tell")]
    Direction(Option<i32>),
    /// It has more metadata than may be.
    #[error("the envelope's metadata takes at least {cost} bytes")]
    Metadata {
        /// What all entries cost at least.
        cost: usize,
        /// The envelope without its metadata.
        rest: Box<Envelope>,
    },
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;

    const MAX_METADATA: usize = 10 * METADATA_ENTRY_COST;

    const TRACEPARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    fn trace(state: &str) -> Option<TraceContext> {
        TraceContext::parse(TRACEPARENT.as_bytes(), Some(state.as_bytes()))
    }

    #[test]
    fn entries_over_the_limit_are_not_read_and_the_rest_is() {
        let request = |entries: usize| Envelope::Request {
            request_id: "r-1".into(),
            route_key: "a.B.C".into(),
            payload: Bytes::from_static(b"in"),
            metadata: vec![(String::new(), String::new()); entries],
            trace: None,
            timeout: None,
        };
        let decode = |entries| Envelope::decode_within(MAX_METADATA, request(entries).encode().into());
        assert_eq!(decode(10), Ok(request(10)));
        let error = decode(11).unwrap_err();
        assert!(!error.is_fatal(), "the caller gets an answer");
        let (cost, rest) = (11 * METADATA_ENTRY_COST, Box::new(request(0)));
        assert_eq!(error, EnvelopeError::Metadata { cost, rest });
    }

    #[test]
    fn every_envelope_is_read_as_it_was_written() {
        let metadata = vec![("stream-resume-after".to_string(), "7".to_string())];
        for envelope in [
            Envelope::Request {
                request_id: "r-1".into(),
                route_key: "a.B.C".into(),
                payload: Bytes::from_static(b"in"),
                metadata: metadata.clone(),
                trace: trace("vendor=1"),
                timeout: Some(Duration::from_secs(30)),
            },
            Envelope::Response {
                request_id: "r-1".into(),
                route_key: "a.B.C".into(),
                result: Ok(Bytes::new()),
            },
            Envelope::Response {
                request_id: "r-1".into(),
                route_key: "a.B.C".into(),
                result: Err(ErrorReply {
                    code: ErrorCode::UnknownRoute,
                    message: "no".into(),
                }),
            },
            Envelope::Tell {
                request_id: "r-2".into(),
                route_key: "a.B.C".into(),
                payload: Bytes::new(),
                metadata,
                trace: trace(""),
            },
        ] {
            assert_eq!(Envelope::decode(envelope.clone().encode().into()), Ok(envelope));
        }
    }

    fn decode(message: proto::RpcEnvelope) -> Result<Envelope, EnvelopeError> {
        Envelope::decode(message.encode_to_vec().into())
    }

    #[test]
    fn an_invalid_envelope_is_refused_or_read_in_part() {
        let valid = proto::RpcEnvelope {
            request_id: "r".into(),
            direction: Some(REQUEST),
            timeout_ms: Some(1),
            ..Default::default()
        };
        assert!(decode(valid.clone()).is_ok());
        let no_id = proto::RpcEnvelope {
            request_id: String::new(),
            ..valid.clone()
        };
        assert_eq!(decode(no_id), Err(EnvelopeError::NoRequestId));
        for timeout_ms in [None, Some(0), Some(-1)] {
            let Ok(Envelope::Request { timeout: None, .. }) = decode(proto::RpcEnvelope {
                timeout_ms,
                ..valid.clone()
            }) else {
                panic!("a request with the timeout {timeout_ms:?} is one without");
            };
        }
        for direction in [None, Some(0), Some(4)] {
            let wrong = proto::RpcEnvelope {
                direction,
                ..valid.clone()
            };
            assert_eq!(decode(wrong), Err(EnvelopeError::Direction(direction)));
        }
        let neither = proto::RpcEnvelope {
            direction: Some(RESPONSE),
            ..valid
        };
        let Ok(Envelope::Response { result: Err(reply), .. }) = decode(neither.clone()) else {
            panic!("a response without a result is a failure");
        };
        assert_eq!(reply.code, ErrorCode::DecodeFailure);
        let error = proto::ErrorResponse {
            code: 10010,
            message: String::new(),
        };
        let both = proto::RpcEnvelope {
            payload: Some(Bytes::new()),
            error: Some(error),
            ..neither
        };
        let Ok(Envelope::Response { result: Err(reply), .. }) = decode(both) else {
            panic!("a response with an error is a failure");
        };
        assert_eq!(reply.code, ErrorCode::Internal);
    }

    #[test]
    fn the_trace_is_written_as_the_two_texts_of_the_standard() {
        let request = Envelope::Tell {
            request_id: "r".into(),
            route_key: "a.B.C".into(),
            payload: Bytes::new(),
            metadata: Vec::new(),
            trace: trace("a=1,b=2"),
        };
        let written = proto::RpcEnvelope::decode(&request.encode()[..]).unwrap();
        assert_eq!(written.traceparent.as_deref(), Some(TRACEPARENT.as_bytes()));
        assert_eq!(written.tracestate.as_deref(), Some(&b"a=1,b=2"[..]));
    }

    #[test]
    fn a_broken_trace_leaves_a_call_without_one() {
        for broken in [&b""[..], b"00-0-0-0", b"\xff\xfe"] {
            let read = decode(proto::RpcEnvelope {
                request_id: "r".into(),
                direction: Some(REQUEST),
                traceparent: Some(Bytes::copy_from_slice(broken)),
                tracestate: Some(Bytes::copy_from_slice(broken)),
                ..Default::default()
            });
            assert!(
                matches!(read, Ok(Envelope::Request { trace: None, .. })),
                "{broken:?}: {read:?}"
            );
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_decoder_panic(bytes in vec(any::<u8>(), 0..100)) {
            let _ = Envelope::decode_within(MAX_METADATA, bytes.into());
        }
    }
}
