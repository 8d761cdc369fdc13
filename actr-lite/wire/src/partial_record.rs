//! A long record that comes in parts.

use bytes::{Bytes, BytesMut};
use thiserror::Error;

use crate::record::{HEADER_LEN, RecordKind};

/// What has come of a record, header included; empty between two of them.
///
/// It holds no more than twice what has come, and never more than the longest record.
#[derive(Debug, Default)]
pub struct PartialRecord(BytesMut);

/// Why parts make no record.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum PartError {
    /// The record would be too long.
    #[error("a record of {len} bytes in parts is over the limit of {limit} bytes")]
    TooLong {
        /// Its body's length.
        len: usize,
        /// The longest that is taken.
        limit: usize,
    },
    /// A part goes on where its record ends.
    #[error("a part goes on {over} bytes past the end of its record")]
    Overrun {
        /// How many bytes are too many.
        over: usize,
    },
    /// The record in parts is a part itself.
    #[error("a part of a record is cut into parts itself")]
    Nested,
}

impl PartialRecord {
    /// Takes the next part; the record, header included, if that was the last one.
    ///
    /// # Errors
    /// When the parts make no record whose body is at most `limit` bytes long.
    pub fn push(&mut self, part: &[u8], limit: usize) -> Result<Option<Bytes>, PartError> {
        self.0.extend_from_slice(part);
        let Some(&[kind, a, b, c, d]) = self.0.first_chunk::<HEADER_LEN>() else {
            return Ok(None);
        };
        if kind == RecordKind::Part as u8 {
            return Err(PartError::Nested);
        }
        let len = u32::from_be_bytes([a, b, c, d]) as usize;
        if len > limit {
            return Err(PartError::TooLong { len, limit });
        }
        let whole = HEADER_LEN + len;
        match self.0.len().checked_sub(whole) {
            None => Ok(None),
            Some(0) => Ok(Some(std::mem::take(&mut self.0).freeze())),
            Some(over) => Err(PartError::Overrun { over }),
        }
    }

    /// How many bytes have come of the record that is under way.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether no record is under way.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;
    use crate::record::header;

    const LIMIT: usize = 1000;

    proptest! {
        #[test]
        fn a_record_is_whole_after_its_last_part(len in 0..LIMIT, cuts in vec(1..400usize, 0..50)) {
            let record = [&header(RecordKind::StreamReliable, len)[..], &vec![7; len]].concat();
            let mut partial = PartialRecord::default();
            let (mut rest, mut cuts) = (&record[..], cuts.into_iter());
            loop {
                let (part, behind) = rest.split_at(cuts.next().unwrap_or(rest.len()).min(rest.len()));
                rest = behind;
                let whole = partial.push(part, LIMIT).unwrap();
                prop_assert_eq!(whole.is_some(), rest.is_empty());
                if let Some(whole) = whole {
                    prop_assert_eq!(&whole[..], &record[..]);
                    prop_assert!(partial.is_empty());
                    break;
                }
            }
        }
    }

    #[test]
    fn what_makes_no_record_is_refused() {
        let push = |part: &[u8]| PartialRecord::default().push(part, LIMIT);
        let too_long = header(RecordKind::StreamReliable, LIMIT + 1);
        assert_eq!(
            push(&too_long),
            Err(PartError::TooLong {
                len: LIMIT + 1,
                limit: LIMIT
            })
        );
        assert_eq!(push(&[2, 0, 0, 0, 1, 7, 7, 7]), Err(PartError::Overrun { over: 2 }));
        assert_eq!(push(&header(RecordKind::Part, 10)), Err(PartError::Nested));
        assert_eq!(push(&[2, 0]), Ok(None));
    }
}
