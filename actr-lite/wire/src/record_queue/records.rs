use std::mem;

use crate::{
    frame,
    identity::StreamId,
    pace::MAX_BATCH,
    record::{HEADER_LEN, RecordKind, header},
    websocket::{Fragment, HEADER_ROOM},
};

/// By which part of the longest piece all that waits may be longer and still leave as one: it is sealed in place, while a
/// shorter piece is a copy.
const TOLERANCE: usize = 4;

/// Records in order, behind room for the header of a message.
#[derive(Debug, Default)]
pub(crate) struct Records {
    /// Empty, or the room and records.
    bytes: Vec<u8>,
    /// Where what has not left begins.
    at: usize,
    /// How much is left of a record of which a part has left.
    cut: usize,
    /// Where that record begins.
    cut_at: usize,
    /// How many bytes of control records came since all had left.
    control: usize,
    /// How long all together were the last time: the next buffer is made for as much.
    last_len: usize,
}

/// What a piece of records holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cut {
    /// Whole records.
    Records,
    /// A part of one.
    Part(Fragment),
}

/// The length, header included, of the first of these records; `None` if there is none.
pub(crate) fn record_len(records: &[u8]) -> Option<usize> {
    let [_, a, b, c, d] = *records.first_chunk::<HEADER_LEN>()?;
    Some(HEADER_LEN + u32::from_be_bytes([a, b, c, d]) as usize)
}

impl Records {
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// How many bytes have not left.
    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.bytes.len() - self.at
    }

    /// Whether a part of a record has left, and the rest has not.
    pub(crate) fn is_cut(&self) -> bool {
        self.cut > 0
    }

    /// How many bytes of control records wait, at most.
    pub(crate) fn control(&self) -> usize {
        self.control
    }

    /// Whether a frame or the end of this stream has not left, or only a part of it.
    pub(crate) fn has_any_of(&self, stream_id: &StreamId) -> bool {
        let field = frame::stream_id_field(stream_id);
        let mut waiting = &self.bytes[if self.is_cut() { self.cut_at } else { self.at }..];
        while let Some(len) = record_len(waiting) {
            let (record, behind) = waiting.split_at(len.min(waiting.len()));
            let is_calls = matches!(
                RecordKind::try_from(record[0]),
                Ok(RecordKind::RpcReliable | RecordKind::RpcSignal)
            );
            if !is_calls && record[HEADER_LEN..].starts_with(&field) {
                return true;
            }
            waiting = behind;
        }
        false
    }

    #[inline]
    pub(crate) fn push(&mut self, kind: RecordKind, head: &[u8], body: &[u8]) {
        let len = head.len() + body.len();
        if self.bytes.is_empty() {
            self.reserve(HEADER_ROOM + HEADER_LEN + len);
        }
        if kind.is_control() {
            self.control += HEADER_LEN + len;
        }
        self.bytes.extend_from_slice(&header(kind, len));
        self.bytes.extend_from_slice(head);
        self.bytes.extend_from_slice(body);
    }

    /// Makes the buffer for what is known to come.
    fn reserve(&mut self, len: usize) {
        let expected = self.last_len.min(MAX_BATCH).max(len);
        // A long record is alone in its buffer as a rule.
        let capacity = if len > MAX_BATCH {
            len
        } else {
            expected.next_power_of_two()
        };
        self.bytes.reserve_exact(capacity);
        self.bytes.resize(HEADER_ROOM, 0);
        self.at = HEADER_ROOM;
    }

    /// Moves all records of another, of which none is cut, behind these.
    pub(crate) fn append(&mut self, other: &mut Self) {
        if self.bytes.is_empty() {
            mem::swap(&mut self.bytes, &mut other.bytes);
            self.at = mem::take(&mut other.at);
        } else {
            self.bytes.extend_from_slice(&other.bytes[other.at..]);
        }
        self.control += other.control;
        other.clear();
    }

    fn clear(&mut self) -> Vec<u8> {
        self.last_len = self.bytes.len();
        (self.at, self.control) = (0, 0);
        mem::take(&mut self.bytes)
    }

    /// All records, behind room for a header, if they are about as short as `longest` and none is cut.
    pub(crate) fn take_all(&mut self, longest: usize) -> Option<Vec<u8>> {
        let is_whole = self.at == HEADER_ROOM && self.len() <= longest + longest / TOLERANCE;
        is_whole.then(|| self.clear())
    }

    /// The next piece: whole records, `longest` bytes at most, or this much of one that is longer. [`Self::advance`]
    /// tells that it has left.
    pub(crate) fn cut(&self, longest: usize) -> (Cut, &[u8]) {
        let waiting = &self.bytes[self.at..];
        if self.cut > 0 {
            let len = self.cut.min(longest);
            let fragment = if len == self.cut {
                Fragment::Last
            } else {
                Fragment::Middle
            };
            return (Cut::Part(fragment), &waiting[..len]);
        }
        let mut end = 0;
        while let Some(len) = record_len(&waiting[end..]) {
            if end + len > longest {
                break;
            }
            end += len;
        }
        if end == 0 {
            return (Cut::Part(Fragment::First), &waiting[..longest.min(waiting.len())]);
        }
        (Cut::Records, &waiting[..end])
    }

    /// A piece of this length has left.
    pub(crate) fn advance(&mut self, cut: Cut, len: usize) {
        self.cut = match cut {
            Cut::Records => 0,
            Cut::Part(Fragment::First) => {
                self.cut_at = self.at;
                record_len(&self.bytes[self.at..]).unwrap_or(len) - len
            }
            Cut::Part(_) => self.cut - len,
        };
        self.at += len;
        if self.at == self.bytes.len() {
            self.clear();
        }
    }
}
