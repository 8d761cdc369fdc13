//! One frame of a stream, encoded and decoded by hand: the path that runs millions of times a second.
//!
//! The bytes are those of the protobuf message `DataStream{stream_id=1, sequence=2, payload=3, metadata=4,
//! timestamp_ms=5}` (actr 0.4.21); the tests hold this codec against prost's.

use std::ops::Range;

use bytes::Bytes;
use prost::{
    Message as _,
    encoding::{encode_varint, encoded_len_varint},
};
use thiserror::Error;

use crate::{identity::StreamId, peer_text::PeerText, proto};

/// One frame of a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DataStream {
    /// The stream.
    pub stream_id: StreamId,
    /// Counts the frames of the stream; the first is 1.
    pub sequence: u64,
    /// What the frame carries.
    pub payload: Bytes,
    /// What few frames have beside their payload.
    pub hints: Option<Box<FrameHints>>,
}

/// What a frame may have beside its payload.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FrameHints {
    /// Names and values, in their order.
    pub metadata: Vec<(String, String)>,
    /// When the frame was made, in Unix milliseconds.
    pub timestamp_ms: Option<i64>,
}

impl DataStream {
    /// A frame with nothing beside its payload.
    pub fn new(stream_id: StreamId, sequence: u64, payload: impl Into<Bytes>) -> Self {
        Self {
            stream_id,
            sequence,
            payload: payload.into(),
            hints: None,
        }
    }

    /// The payload as one line for a log or a terminal: see [`PeerText`]. A payload that is not a text shows as such.
    pub fn text(&self) -> PeerText {
        PeerText::new(std::str::from_utf8(&self.payload).unwrap_or("(not text)"))
    }

    /// The same frame with hints.
    pub fn with_hints(self, hints: FrameHints) -> Self {
        Self {
            hints: Some(Box::new(hints)),
            ..self
        }
    }
}

const STREAM_ID: u8 = 1 << 3 | 2;
const SEQUENCE: u8 = 2 << 3;
const PAYLOAD: u8 = 3 << 3 | 2;
const METADATA: u8 = 4 << 3 | 2;
const TIMESTAMP: u8 = 5 << 3;

/// The most bytes of a number.
const MAX_VARINT_LEN: usize = 10;

/// The most bytes of a head without hints that differ from frame to frame: the sequence number, and the payload's tag and
/// length.
const MAX_VARIABLE_LEN: usize = MAX_VARINT_LEN + 1 + MAX_VARINT_LEN;

/// Encodes the frames of one stream: what they share is written once.
#[derive(Debug)]
pub struct FrameEncoder {
    /// What is the same for each frame, and room for the rest of the longest head without hints.
    head: Vec<u8>,
    /// How much of `head` is the same for each frame.
    fixed: usize,
}

impl FrameEncoder {
    /// An encoder for the frames of this stream.
    pub fn new(stream_id: &StreamId) -> Self {
        let mut head = fixed_head(stream_id);
        let fixed = head.len();
        head.resize(fixed + MAX_VARIABLE_LEN, 0);
        Self { head, fixed }
    }

    /// What stands before a payload of `payload_len` bytes in the encoded frame; the payload ends it.
    #[inline]
    pub fn head(&mut self, sequence: u64, payload_len: usize) -> &[u8] {
        let mut at = self.fixed;
        at += write_varint(&mut self.head[at..], sequence);
        self.head[at] = PAYLOAD;
        at += 1;
        at += write_varint(&mut self.head[at..], payload_len as u64);
        &self.head[..at]
    }

    /// The same for a frame that carries hints, which then stand before the payload.
    pub fn head_with_hints(&self, frame: &DataStream) -> Vec<u8> {
        let mut head = self.head[..self.fixed].to_vec();
        encode_varint(frame.sequence, &mut head);
        let hints = frame.hints.as_deref();
        for (key, value) in hints.iter().flat_map(|hints| &hints.metadata) {
            let entry = proto::MetadataEntry {
                key: key.clone(),
                value: value.clone(),
            };
            head.push(METADATA);
            encode_varint(entry.encoded_len() as u64, &mut head);
            head.extend_from_slice(&entry.encode_to_vec());
        }
        if let Some(timestamp_ms) = hints.and_then(|hints| hints.timestamp_ms) {
            head.push(TIMESTAMP);
            encode_varint(timestamp_ms as u64, &mut head);
        }
        head.push(PAYLOAD);
        encode_varint(frame.payload.len() as u64, &mut head);
        head
    }

    /// The most bytes that [`Self::head`] takes for a payload of `payload_len` bytes.
    pub fn max_head_len(&self, payload_len: usize) -> usize {
        self.fixed + MAX_VARINT_LEN + 1 + encoded_len_varint(payload_len as u64)
    }
}

/// What every frame of a stream starts with when its fields come in their order.
fn fixed_head(stream_id: &StreamId) -> Vec<u8> {
    let mut head = stream_id_field(stream_id);
    head.push(SEQUENCE);
    head
}

/// What the body of every record that a sender sends of a stream starts with: its frames, its end, and its error.
pub(crate) fn stream_id_field(stream_id: &StreamId) -> Vec<u8> {
    let stream_id = stream_id.as_str();
    // With room for what an encoder adds.
    let mut field = Vec::with_capacity(1 + MAX_VARINT_LEN + stream_id.len() + 1 + MAX_VARIABLE_LEN);
    field.push(STREAM_ID);
    encode_varint(stream_id.len() as u64, &mut field);
    field.extend_from_slice(stream_id.as_bytes());
    field
}

/// Writes a number to where there is room for it; how many bytes it takes.
#[inline]
fn write_varint(room: &mut [u8], mut value: u64) -> usize {
    let mut at = 0;
    while value >= 0x80 {
        room[at] = value as u8 | 0x80;
        value >>= 7;
        at += 1;
    }
    room[at] = value as u8;
    at + 1
}

/// Where the parts of an encoded frame stand.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct FrameParts {
    /// The stream id's bytes; UTF-8 is not checked, as it is only compared with known ids.
    pub stream_id: Range<usize>,
    /// Counts the frames of the stream.
    pub sequence: u64,
    /// The payload's bytes.
    pub payload: Range<usize>,
    /// What stands beside the payload.
    pub hints: Option<Box<FrameHints>>,
}

/// Why bytes are not a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum FrameError {
    /// The bytes end within a field.
    #[error("the frame ends within a field")]
    Cut,
    /// A number takes more than 64 bits.
    #[error("a number in the frame is longer than 64 bits")]
    Varint,
    /// A field's number is over 2^29 - 1, the greatest that protobuf has.
    #[error("a field of the frame has a number that no field can have")]
    FieldNumber,
    /// A field has a type that it can't have.
    #[error("a field of the frame has a wrong type")]
    WireType,
    /// A metadata entry can't be decoded.
    #[error("a metadata entry of the frame can't be decoded")]
    Metadata,
    /// The frame has no stream id.
    #[error("the frame has no stream id")]
    NoStreamId,
}

/// The bytes of an encoded frame's stream id, at least one. Of an id that comes twice, which no encoder writes, the
/// first may count: the frame is not read to its end to learn whose it is.
///
/// # Errors
/// When there is none, or the fields up to it can't be read.
pub fn stream_id_of(frame: &[u8]) -> Result<&[u8], FrameError> {
    // Nearly every encoder writes field 1 first and an id of less than 128 bytes.
    if let [STREAM_ID, len @ 1..128, rest @ ..] = frame {
        return rest.get(..*len as usize).ok_or(FrameError::Cut);
    }
    let parts = decode(frame)?;
    frame
        .get(parts.stream_id)
        .filter(|id| !id.is_empty())
        .ok_or(FrameError::NoStreamId)
}

/// Reads the frames of one stream, whose beginnings are all alike.
#[derive(Debug, Clone)]
pub struct FrameDecoder {
    /// What every frame of the stream starts with when its fields come in their order: as nearly every encoder
    /// writes them.
    head: Vec<u8>,
}

impl FrameDecoder {
    /// A decoder for the frames of this stream.
    pub fn new(stream_id: &StreamId) -> Self {
        Self {
            head: fixed_head(stream_id),
        }
    }

    /// Sequence number and payload of a frame that has nothing else; `None` for any other, which [`decode`] reads.
    #[inline]
    pub fn decode_plain(&self, frame: &[u8]) -> Option<(u64, Range<usize>)> {
        let rest = frame.strip_prefix(self.head.as_slice())?;
        let (sequence, rest) = short_varint(rest)?;
        let (tag, rest) = rest.split_first()?;
        let (len, rest) = short_varint(rest)?;
        (*tag == PAYLOAD && len == rest.len() as u64).then(|| (sequence, frame.len() - rest.len()..frame.len()))
    }
}

/// A number of at most five bytes, which nearly all are, and what follows it.
#[inline]
fn short_varint(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let mut value = 0;
    for at in 0..5 {
        let byte = *bytes.get(at)?;
        value |= u64::from(byte & 0x7f) << (7 * at);
        if byte < 0x80 {
            return Some((value, &bytes[at + 1..]));
        }
    }
    None
}

/// Finds the parts of an encoded frame. Unknown fields are passed over; of a field that comes twice the last counts.
///
/// # Errors
/// When the bytes are not a frame.
pub fn decode(frame: &[u8]) -> Result<FrameParts, FrameError> {
    let mut parts = FrameParts::default();
    let mut at = 0;
    while at < frame.len() {
        let tag = varint(frame, &mut at)?;
        if tag > u64::from(u32::MAX) {
            return Err(FrameError::FieldNumber);
        }
        match (tag >> 3, tag & 7) {
            (2, 0) => parts.sequence = varint(frame, &mut at)?,
            (3, 2) => parts.payload = block(frame, &mut at)?,
            (1, 2) => parts.stream_id = block(frame, &mut at)?,
            (4, 2) => {
                let entry = block(frame, &mut at)?;
                let entry = frame.get(entry).ok_or(FrameError::Cut)?;
                let entry = proto::MetadataEntry::decode(entry).map_err(|_| FrameError::Metadata)?;
                parts
                    .hints
                    .get_or_insert_default()
                    .metadata
                    .push((entry.key, entry.value));
            }
            (5, 0) => parts.hints.get_or_insert_default().timestamp_ms = Some(varint(frame, &mut at)? as i64),
            (1..=5, _) | (0, _) => return Err(FrameError::WireType),
            (_, wire_type) => skip(frame, &mut at, wire_type)?,
        }
    }
    Ok(parts)
}

fn varint(frame: &[u8], at: &mut usize) -> Result<u64, FrameError> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let byte = *frame.get(*at).ok_or(FrameError::Cut)?;
        *at += 1;
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            // The tenth byte holds the 64th bit alone.
            return if shift == 63 && byte > 1 {
                Err(FrameError::Varint)
            } else {
                Ok(value)
            };
        }
    }
    Err(FrameError::Varint)
}

fn block(frame: &[u8], at: &mut usize) -> Result<Range<usize>, FrameError> {
    let len = varint(frame, at)?;
    if len > (frame.len() - *at) as u64 {
        return Err(FrameError::Cut);
    }
    let start = *at;
    *at += len as usize;
    Ok(start..*at)
}

fn skip(frame: &[u8], at: &mut usize, wire_type: u64) -> Result<(), FrameError> {
    let fixed = match wire_type {
        0 => return varint(frame, at).map(drop),
        2 => return block(frame, at).map(drop),
        1 => 8,
        5 => 4,
        _ => return Err(FrameError::WireType),
    };
    if frame.len() - *at < fixed {
        return Err(FrameError::Cut);
    }
    *at += fixed;
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, option, prelude::*};

    use super::*;

    fn read(frame: &[u8]) -> Result<DataStream, FrameError> {
        let parts = decode(frame)?;
        let id = std::str::from_utf8(&frame[parts.stream_id]).unwrap().parse().unwrap();
        Ok(DataStream {
            stream_id: id,
            sequence: parts.sequence,
            payload: Bytes::copy_from_slice(&frame[parts.payload]),
            hints: parts.hints,
        })
    }

    fn with_prost(frame: &DataStream) -> proto::DataStream {
        let hints = frame.hints.clone().unwrap_or_default();
        proto::DataStream {
            stream_id: frame.stream_id.to_string(),
            sequence: frame.sequence,
            payload: frame.payload.clone(),
            metadata: hints
                .metadata
                .into_iter()
                .map(|(key, value)| proto::MetadataEntry { key, value })
                .collect(),
            timestamp_ms: hints.timestamp_ms,
        }
    }

    fn any_frame() -> impl Strategy<Value = DataStream> {
        (
            "[a-z0-9]{1,128}",
            any::<u64>(),
            vec(any::<u8>(), 0..300),
            vec((".{0,10}", ".{0,200}"), 0..3),
            option::of(any::<i64>()),
        )
            .prop_map(|(id, sequence, payload, metadata, timestamp_ms)| {
                let hints = (!metadata.is_empty() || timestamp_ms.is_some())
                    .then(|| Box::new(FrameHints { metadata, timestamp_ms }));
                DataStream {
                    stream_id: id.parse().unwrap(),
                    sequence,
                    payload: payload.into(),
                    hints,
                }
            })
    }

    proptest! {
        #[test]
        fn what_prost_writes_is_read(frame in any_frame()) {
            let bytes = with_prost(&frame).encode_to_vec();
            prop_assert_eq!(stream_id_of(&bytes).unwrap(), frame.stream_id.as_str().as_bytes());
            prop_assert_eq!(read(&bytes).unwrap(), frame);
        }

        #[test]
        fn what_is_written_is_read_by_prost(frame in any_frame(), sequence: u64) {
            let mut encoder = FrameEncoder::new(&frame.stream_id);
            encoder.head(sequence, 7); // one before it must leave no trace
            let mut bytes = encoder.head_with_hints(&frame);
            bytes.extend_from_slice(&frame.payload);
            prop_assert_eq!(proto::DataStream::decode(bytes.as_slice()).unwrap(), with_prost(&frame));

            let plain = DataStream { hints: None, ..frame };
            let mut bytes = encoder.head(plain.sequence, plain.payload.len()).to_vec();
            prop_assert!(bytes.len() <= encoder.max_head_len(plain.payload.len()));
            bytes.extend_from_slice(&plain.payload);
            prop_assert_eq!(proto::DataStream::decode(bytes.as_slice()).unwrap(), with_prost(&plain));
            let decoder = FrameDecoder::new(&plain.stream_id);
            if let Some((sequence, payload)) = decoder.decode_plain(&bytes) {
                prop_assert_eq!((sequence, &bytes[payload]), (plain.sequence, &plain.payload[..]));
            } else {
                prop_assert!(plain.sequence >= 1 << 35, "a plain frame was not read as one");
            }
        }

        #[test]
        fn the_fast_and_the_full_decoder_agree(
            mut frame in any_frame().prop_map(|frame| with_prost(&frame).encode_to_vec()),
            at in 0..400usize,
            byte: u8,
        ) {
            let stream_id: StreamId = std::str::from_utf8(stream_id_of(&frame).unwrap()).unwrap().parse().unwrap();
            let len = frame.len();
            frame[at % len] = byte;
            if let Some((sequence, payload)) = FrameDecoder::new(&stream_id).decode_plain(&frame) {
                let parts = decode(&frame).unwrap();
                prop_assert_eq!((parts.sequence, parts.payload, parts.hints), (sequence, payload, None));
                prop_assert_eq!(&frame[parts.stream_id], stream_id.as_str().as_bytes());
            }
        }

        #[test]
        fn on_any_bytes_it_agrees_with_prost_or_refuses(bytes in vec(any::<u8>(), 0..60)) {
            if let Ok(parts) = decode(&bytes)
                && let Ok(message) = proto::DataStream::decode(bytes.as_slice())
            {
                prop_assert_eq!(parts.sequence, message.sequence);
                prop_assert_eq!(&bytes[parts.payload], &message.payload[..]);
                prop_assert_eq!(&bytes[parts.stream_id], message.stream_id.as_bytes());
            }
        }

        #[test]
        fn a_cut_frame_is_an_error_or_a_shorter_frame(frame in any_frame(), cut in 1..200usize) {
            let mut bytes = with_prost(&frame).encode_to_vec();
            bytes.truncate(bytes.len().saturating_sub(cut));
            prop_assert_eq!(decode(&bytes).is_ok(), proto::DataStream::decode(bytes.as_slice()).is_ok());
        }
    }

    #[test]
    fn unknown_fields_are_passed_over() {
        let mut bytes = DataStreamBytes::default().0;
        for (tag, value) in [
            (6 << 3, &[1][..]),
            (7 << 3 | 1, &[0; 8]),
            (8 << 3 | 5, &[0; 4]),
            (9 << 3 | 2, &[2, 9, 9]),
        ] {
            bytes.push(tag);
            bytes.extend_from_slice(value);
        }
        assert_eq!(read(&bytes).unwrap().sequence, 3);
    }

    struct DataStreamBytes(Vec<u8>);

    impl Default for DataStreamBytes {
        fn default() -> Self {
            Self(with_prost(&DataStream::new("ab".parse().unwrap(), 3, "x")).encode_to_vec())
        }
    }

    #[test]
    fn a_field_number_that_protobuf_does_not_have_is_refused() {
        // Field 2^29, a varint.
        let frame = [0x80, 0x80, 0x80, 0x80, 0x10, 0];
        assert_eq!(decode(&frame), Err(FrameError::FieldNumber));
        assert!(proto::DataStream::decode(&frame[..]).is_err());
    }

    #[test]
    fn a_frame_without_a_stream_is_refused() {
        assert_eq!(stream_id_of(&[STREAM_ID, 0]), Err(FrameError::NoStreamId));
        assert_eq!(stream_id_of(&[SEQUENCE, 1]), Err(FrameError::NoStreamId));
        assert_eq!(stream_id_of(&[]), Err(FrameError::NoStreamId));
        assert_eq!(stream_id_of(&[STREAM_ID, 5, b'a']), Err(FrameError::Cut));
    }
}
