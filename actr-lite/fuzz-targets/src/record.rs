use actr_lite_wire::{
    control::Control,
    frame::{self, DataStream, FrameDecoder, FrameEncoder, FrameError, FrameParts},
    identity::StreamId,
    partial_record::PartialRecord,
    proto::MetadataEntry,
    record::{self, HEADER_LEN, RecordKind},
};
use bytes::Bytes;
use prost::Message;

use crate::explained;

/// The longest record in parts that is taken here.
const PARTS_LIMIT: usize = 256;

/// How much longer a message can get by being written again: required fields that were left out.
const LEFT_OUT: usize = 32;

/// A `DataStream` whose stream id is not checked for UTF-8, as the frame decoder does not check it either.
#[derive(Clone, PartialEq, Message)]
struct UncheckedFrame {
    #[prost(bytes = "bytes", required, tag = "1")]
    stream_id: Bytes,
    #[prost(uint64, required, tag = "2")]
    sequence: u64,
    #[prost(bytes = "bytes", required, tag = "3")]
    payload: Bytes,
    #[prost(message, repeated, tag = "4")]
    metadata: Vec<MetadataEntry>,
    #[prost(int64, optional, tag = "5")]
    timestamp_ms: Option<i64>,
}

/// The bytes as a message of the data lane, record by record; as the body of a frame; and, behind a first byte that is
/// a record's kind, as the body of a control record.
pub fn record(message: &[u8]) {
    let mut end = 0;
    let mut is_broken = false;
    for span in record::spans(message) {
        assert!(!is_broken, "a record behind a broken one");
        let span = match span {
            Ok(span) => span,
            Err(error) => {
                explained(&error, message);
                is_broken = true;
                continue;
            }
        };
        assert_eq!(span.start, end, "records stand back to back");
        assert!(span.end <= message.len(), "a record that goes beyond its message");
        end = span.end;
        let body = &message[span.body_start()..span.end];
        assert_eq!(
            record::header(span.kind, body.len()),
            message[span.start..span.body_start()]
        );
        assert_eq!(record::body_at(message, span.start), Some((body, span.end)));
        match span.kind {
            RecordKind::StreamReliable | RecordKind::StreamLatencyFirst => frame(body),
            kind => control(kind, body),
        }
    }
    assert!(is_broken || end == message.len(), "bytes between records");
    assert!(is_broken || message.len() >= end + HEADER_LEN || message.len() == end);

    frame(message);
    parts(message);
    if let Some((kind, body)) = message.split_first()
        && let Ok(kind) = RecordKind::try_from(*kind)
    {
        control(kind, body);
    }
}

/// The bytes behind the first one as records that come in parts, whose length the first one says.
fn parts(bytes: &[u8]) {
    let Some((len, all)) = bytes.split_first() else {
        return;
    };
    let (mut partial, mut start, mut end) = (PartialRecord::default(), 0, 0);
    for part in all.chunks(1 + usize::from(*len)) {
        end += part.len();
        let come = &all[start..end];
        // What has come of the record, as its header says.
        let missing = come.first_chunk::<HEADER_LEN>().map(|[_, a, b, c, d]| {
            let len = u64::from(u32::from_be_bytes([*a, *b, *c, *d]));
            (HEADER_LEN as u64 + len).checked_sub(come.len() as u64)
        });
        match partial.push(part, PARTS_LIMIT) {
            Ok(None) => {
                assert!(missing.is_none_or(|missing| missing.is_some_and(|missing| missing > 0)));
                assert_eq!(partial.len(), come.len());
            }
            Ok(Some(record)) => {
                assert_eq!((missing, &record[..]), (Some(Some(0)), come));
                assert!(record.len() <= HEADER_LEN + PARTS_LIMIT && partial.is_empty());
                start = end;
            }
            Err(error) => return explained(&error, bytes),
        }
    }
}

/// The frame decoder agrees with prost, the two short ways agree with the long one, and writing is the way back.
fn frame(bytes: &[u8]) {
    let reference = UncheckedFrame::decode(bytes);
    let parts = match (frame::decode(bytes), &reference) {
        (Ok(parts), Ok(_)) => parts,
        // The one thing in protobuf that the decoder refuses and prost passes over: unknown fields that are groups.
        (Err(error @ FrameError::WireType), Ok(_)) => return explained(&error, bytes),
        (Err(error), Err(_)) => return explained(&error, bytes),
        (Ok(_), Err(error)) => panic!("only the frame decoder takes what prost refuses: {error}"),
        (Err(error), Ok(_)) => panic!("only prost takes what the frame decoder refuses: {error}"),
    };
    let Ok(reference) = reference else { return };
    assert_eq!(bytes[parts.stream_id.clone()], reference.stream_id);
    assert_eq!(parts.sequence, reference.sequence);
    assert_eq!(bytes[parts.payload.clone()], reference.payload);
    let hints = parts.hints.as_deref().cloned().unwrap_or_default();
    assert_eq!(hints.timestamp_ms, reference.timestamp_ms);
    let metadata = reference.metadata.into_iter().map(|entry| (entry.key, entry.value));
    assert!(metadata.eq(hints.metadata), "the hints are others");

    match frame::stream_id_of(bytes) {
        Ok(id) => {
            assert!(!id.is_empty(), "no name is no stream id");
            let first = 2..2 + id.len();
            assert!(
                id == &bytes[parts.stream_id.clone()] || id == &bytes[first.clone()] && first.end < parts.stream_id.end,
                "neither the first of the frame's stream ids nor the last"
            );
        }
        Err(error) => {
            explained(&error, bytes);
            assert_eq!((error, parts.stream_id.len()), (FrameError::NoStreamId, 0));
        }
    }
    if let Ok(id) = std::str::from_utf8(&bytes[parts.stream_id.clone()])
        && let Ok(id) = id.parse()
    {
        written_again(bytes, id, parts);
    }
}

fn written_again(bytes: &[u8], stream_id: StreamId, parts: FrameParts) {
    let payload = Bytes::copy_from_slice(&bytes[parts.payload.clone()]);
    let decoder = FrameDecoder::new(&stream_id);
    let mut encoder = FrameEncoder::new(&stream_id);
    let plain = decoder.decode_plain(bytes);
    if let Some((sequence, range)) = &plain {
        assert_eq!((*sequence, range), (parts.sequence, &parts.payload));
        assert!(parts.hints.is_none(), "the short way loses the hints");
    }
    let head = encoder.head(parts.sequence, payload.len());
    assert!(head.len() <= FrameEncoder::new(&stream_id).max_head_len(payload.len()));
    let is_canonical = bytes.strip_prefix(head) == Some(&payload[..]) && bytes.len() == head.len() + payload.len();
    assert!(
        !is_canonical || parts.sequence >= 1 << 35 || plain.is_some(),
        "the short way does not know a frame as the encoder writes it"
    );

    let frame = DataStream {
        stream_id,
        sequence: parts.sequence,
        payload,
        hints: parts.hints,
    };
    let mut again = encoder.head_with_hints(&frame);
    again.extend_from_slice(&frame.payload);
    let Ok(read) = frame::decode(&again) else {
        panic!("what the encoder writes can't be read");
    };
    assert_eq!(again[read.stream_id], *frame.stream_id.as_str().as_bytes());
    assert_eq!(read.sequence, frame.sequence);
    assert_eq!(again[read.payload], frame.payload);
    assert_eq!(read.hints, frame.hints);
}

/// A control record that was read is written as what it was read from says.
fn control(kind: RecordKind, body: &[u8]) {
    match Control::decode(kind, Bytes::copy_from_slice(body)) {
        Ok(control) => {
            let (again, bytes) = control.encode();
            assert_eq!(again, kind);
            assert!(kind.is_control(), "a control record of another kind");
            // A byte that is not printable takes up to ten where it is escaped.
            assert!(
                bytes.len() <= 10 * body.len() + LEFT_OUT,
                "a short record makes a long one"
            );
            assert_eq!(Control::decode(kind, bytes.into()), Ok(control));
        }
        Err(error) => explained(&error, body),
    }
}
