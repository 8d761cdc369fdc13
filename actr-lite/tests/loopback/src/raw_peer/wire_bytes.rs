//! What goes over a data lane, byte by byte.

use actr_lite_wire::record::{self, RecordKind};
use bytes::Bytes;
use prost::Message as _;

/// A WebSocket frame as a client writes it (RFC 6455 §5.2), with a mask that changes nothing.
pub(crate) fn websocket_frame(first_byte: u8, payload: &[u8]) -> Vec<u8> {
    let len = payload.len() as u64;
    let mut frame = match len {
        0..126 => vec![first_byte, 0x80 | len as u8],
        126..0x1_0000 => [&[first_byte, 0x80 | 126], &(len as u16).to_be_bytes()[..]].concat(),
        _ => [&[first_byte, 0x80 | 127], &len.to_be_bytes()[..]].concat(),
    };
    frame.extend([0; 4]);
    frame.extend(payload);
    frame
}

/// The start of a binary message that announces this many bytes.
pub(crate) fn websocket_header(len: u64) -> Vec<u8> {
    [&[0x82, 0x80 | 127], &len.to_be_bytes()[..], &[0; 4]].concat()
}

pub(crate) fn record(kind: RecordKind, body: &[u8]) -> Vec<u8> {
    [&record::header(kind, body.len())[..], body].concat()
}

/// The body of a stream's frame.
pub(crate) fn frame(stream_id: &str, sequence: u64, payload: &[u8]) -> Vec<u8> {
    let frame = actr_lite_wire::proto::DataStream {
        stream_id: stream_id.into(),
        sequence,
        payload: Bytes::copy_from_slice(payload),
        ..Default::default()
    };
    frame.encode_to_vec()
}
