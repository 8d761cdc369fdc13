//! The two fields of an envelope that say what caused it, written and read without a copy on the way.

use bytes::{BufMut as _, Bytes};
use prost::encoding::{WireType, encode_key, encode_varint, encoded_len_varint, key_len};

use crate::trace_context::{TRACEPARENT_LEN, TraceContext};

/// The fields of [`RpcEnvelope`](crate::proto::RpcEnvelope).
const TRACEPARENT: u32 = 100;
const TRACESTATE: u32 = 101;

/// How long both are.
pub(crate) fn encoded_len(trace: &TraceContext) -> usize {
    let field_len = |number, len: usize| key_len(number) + encoded_len_varint(len as u64) + len;
    let state = Some(trace.state.as_str().len()).filter(|len| *len > 0);
    field_len(TRACEPARENT, TRACEPARENT_LEN) + state.map_or(0, |len| field_len(TRACESTATE, len))
}

/// Writes both behind the other fields of an envelope.
pub(crate) fn append(trace: &TraceContext, envelope: &mut Vec<u8>) {
    let mut field = |number, text: &[u8]| {
        encode_key(number, WireType::LengthDelimited, envelope);
        encode_varint(text.len() as u64, envelope);
        envelope.put_slice(text);
    };
    field(TRACEPARENT, &trace.traceparent());
    if !trace.state.is_empty() {
        field(TRACESTATE, trace.state.as_str().as_bytes());
    }
}

/// What they say; a broken one says nothing.
pub(crate) fn parse(traceparent: Option<Bytes>, tracestate: Option<Bytes>) -> Option<TraceContext> {
    TraceContext::parse(&traceparent?, tracestate.as_deref())
}
