//! Records: what a message of the data lane is made of.
//!
//! One record is `[u8 kind][u32 big-endian length][body]` (actr 0.4.21). An official node puts one record in one
//! message; between two nodes that negotiated [`EXTENSION`] a message holds up to some ten thousand of them back to back, and
//! kinds from 128 up control the streams.

use thiserror::Error;

/// The WebSocket subprotocol by which two nodes agree on batches and control records.
pub const EXTENSION: &str = "actr-lite.1";

/// The bytes before a record's body.
pub const HEADER_LEN: usize = 5;

/// The longest body that a node takes unless its configuration says otherwise: an application that moves more at once
/// should cut it into frames, and a receiver has to hold a record as a whole.
pub const DEFAULT_MAX_RECORD_LEN: usize = 4 << 20;

/// What a record's body is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum RecordKind {
    /// An `RpcEnvelope`.
    RpcReliable = 0,
    /// An `RpcEnvelope` that is not to wait behind others.
    RpcSignal = 1,
    /// A `DataStream` that must arrive.
    StreamReliable = 2,
    /// A `DataStream` that is worth nothing when it is late.
    StreamLatencyFirst = 3,
    /// A `StreamCredit`; only with [`EXTENSION`], as all that follow.
    StreamCredit = 128,
    /// A `StreamCancel`.
    StreamCancel = 129,
    /// A `StreamEnd`.
    StreamEnd = 130,
    /// A `StreamError`.
    StreamError = 131,
    /// A `CallCancel`.
    CallCancel = 132,
    /// A `Leaving`.
    Leaving = 133,
    /// A part of a long record, header included: others go between two parts.
    Part = 134,
    /// The last that is said, as the payload of a WebSocket close frame, where the lane has no such frame of its own. Alone in
    /// its message.
    Close = 135,
}

impl RecordKind {
    /// Whether only nodes that negotiated [`EXTENSION`] understand it.
    pub fn is_control(self) -> bool {
        self as u8 >= 128
    }
}

impl TryFrom<u8> for RecordKind {
    type Error = RecordError;

    fn try_from(number: u8) -> Result<Self, Self::Error> {
        Ok(match number {
            0 => Self::RpcReliable,
            1 => Self::RpcSignal,
            2 => Self::StreamReliable,
            3 => Self::StreamLatencyFirst,
            128 => Self::StreamCredit,
            129 => Self::StreamCancel,
            130 => Self::StreamEnd,
            131 => Self::StreamError,
            132 => Self::CallCancel,
            133 => Self::Leaving,
            134 => Self::Part,
            135 => Self::Close,
            number => return Err(RecordError::UnknownKind(number)),
        })
    }
}

/// Why bytes are not records.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum RecordError {
    /// The message ends within a record.
    #[error("the message ends within a record: {left} bytes are left, {wanted} expected")]
    Cut {
        /// What is there.
        left: usize,
        /// What should be.
        wanted: usize,
    },
    /// No such kind, or one that is not for the data lane.
    #[error("unknown record kind {0}")]
    UnknownKind(u8),
}

/// A record's header.
///
/// `len` is bounded by the node's record limit, which is far below what 32 bits hold.
pub fn header(kind: RecordKind, len: usize) -> [u8; HEADER_LEN] {
    let [a, b, c, d] = (len as u32).to_be_bytes();
    [kind as u8, a, b, c, d]
}

/// Where a record stands in its message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// What its body is.
    pub kind: RecordKind,
    /// Where its header starts.
    pub start: usize,
    /// Where it ends, and the next may start.
    pub end: usize,
}

impl Span {
    /// Where its body starts.
    pub fn body_start(&self) -> usize {
        self.start + HEADER_LEN
    }

    /// Its bytes, header included: what credit counts.
    pub fn len(&self) -> usize {
        self.end - self.start
    }

    /// Never: a record has a header.
    pub fn is_empty(&self) -> bool {
        false
    }
}

/// The record that starts at `start`.
///
/// # Errors
/// When the message ends within it, or its kind is unknown.
pub fn span_at(message: &[u8], start: usize) -> Result<Span, RecordError> {
    let rest = message.get(start..).unwrap_or_default();
    let Some((&[kind, a, b, c, d], body)) = rest.split_first_chunk::<HEADER_LEN>() else {
        return Err(RecordError::Cut {
            left: rest.len(),
            wanted: HEADER_LEN,
        });
    };
    let len = u32::from_be_bytes([a, b, c, d]) as usize;
    if body.len() < len {
        return Err(RecordError::Cut {
            left: body.len(),
            wanted: len,
        });
    }
    Ok(Span {
        kind: kind.try_into()?,
        start,
        end: start + HEADER_LEN + len,
    })
}

/// The body of the record that starts at `start` in bytes that [`span_at`] has walked over before, and where it ends.
///
/// `None` if they are not whole records after all.
#[inline]
pub fn body_at(records: &[u8], start: usize) -> Option<(&[u8], usize)> {
    let (header, body) = records.get(start..)?.split_first_chunk::<HEADER_LEN>()?;
    let len = u32::from_be_bytes([header[1], header[2], header[3], header[4]]) as usize;
    Some((body.get(..len)?, start + HEADER_LEN + len))
}

/// The records of a message, one after another; after an error nothing more comes.
pub fn spans(message: &[u8]) -> impl Iterator<Item = Result<Span, RecordError>> {
    let mut at = 0;
    std::iter::from_fn(move || {
        if at >= message.len() {
            return None;
        }
        let span = span_at(message, at);
        at = span.as_ref().map_or(message.len(), |span| span.end);
        Some(span)
    })
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*, sample::select};

    use super::*;

    const KINDS: [RecordKind; 9] = [
        RecordKind::RpcReliable,
        RecordKind::RpcSignal,
        RecordKind::StreamReliable,
        RecordKind::StreamLatencyFirst,
        RecordKind::StreamCredit,
        RecordKind::StreamCancel,
        RecordKind::StreamEnd,
        RecordKind::StreamError,
        RecordKind::CallCancel,
    ];

    proptest! {
        #[test]
        fn records_back_to_back_come_out_as_they_went_in(
            records in vec((select(&KINDS[..]), vec(any::<u8>(), 0..300)), 0..20),
        ) {
            let mut message = Vec::new();
            for (kind, body) in &records {
                message.extend_from_slice(&header(*kind, body.len()));
                message.extend_from_slice(body);
            }
            let read: Vec<_> = spans(&message)
                .map(|span| span.map(|span| (span.kind, message[span.body_start()..span.end].to_vec())))
                .collect::<Result<_, _>>()
                .unwrap();
            prop_assert_eq!(&read, &records);
            let mut at = 0;
            for (_, body) in &records {
                let (found, end) = body_at(&message, at).unwrap();
                prop_assert_eq!(found, body.as_slice());
                at = end;
            }
            prop_assert_eq!(body_at(&message, at), None);
        }

        #[test]
        fn a_cut_message_ends_with_an_error(len in 1..400usize, cut in 1..400usize) {
            let mut message = header(RecordKind::RpcReliable, len).to_vec();
            message.resize(HEADER_LEN + len, 7);
            message.truncate(message.len().saturating_sub(cut).max(1));
            let read: Vec<_> = spans(&message).collect();
            let is_cut = matches!(read.as_slice(), [Err(RecordError::Cut { .. })]);
            prop_assert!(is_cut);
        }

        #[test]
        fn no_bytes_make_the_reader_panic_or_loop(message in vec(any::<u8>(), 0..200)) {
            prop_assert!(spans(&message).count() <= message.len());
        }
    }

    #[test]
    fn a_length_that_lies_is_noticed() {
        let message = [2, 0xff, 0xff, 0xff, 0xff, 1, 2, 3];
        assert_eq!(
            span_at(&message, 0),
            Err(RecordError::Cut {
                left: 3,
                wanted: 0xffff_ffff
            })
        );
    }

    #[test]
    fn media_and_unknown_kinds_are_refused() {
        for kind in [4, 5, 127, 136, 255] {
            assert_eq!(span_at(&[kind, 0, 0, 0, 0], 0), Err(RecordError::UnknownKind(kind)));
        }
    }
}
