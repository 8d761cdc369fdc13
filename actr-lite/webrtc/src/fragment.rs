//! A message of a data channel: a record's body, or a part of it, behind a header.

use thiserror::Error;

/// `u32` message number, `u16` index of the fragment, `u16` how many there are; all big-endian.
pub(crate) const HEADER_LEN: usize = 8;

/// The most of a body that goes into one message: with the header, what every WebRTC implementation takes (RFC 8841 §6).
pub(crate) const MAX_BODY: usize = u16::MAX as usize - HEADER_LEN;

/// Which part of which record a message holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Header {
    /// Counted by each sender for each channel.
    pub(crate) message: u32,
    pub(crate) index: u16,
    pub(crate) count: u16,
}

/// Why a message has no header.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum HeaderError {
    /// It ends too early.
    #[error("a message of {0} bytes is shorter than its header")]
    Cut(usize),
    /// There is no such fragment.
    #[error("fragment {index} of {count}")]
    Index {
        /// Counted from 0.
        index: u16,
        /// How many there are.
        count: u16,
    },
}

impl Header {
    pub(crate) fn read(message: &[u8]) -> Result<Self, HeaderError> {
        let &[a, b, c, d, e, f, g, h, ..] = message else {
            return Err(HeaderError::Cut(message.len()));
        };
        let (index, count) = (u16::from_be_bytes([e, f]), u16::from_be_bytes([g, h]));
        if index >= count {
            return Err(HeaderError::Index { index, count });
        }
        Ok(Self {
            message: u32::from_be_bytes([a, b, c, d]),
            index,
            count,
        })
    }

    pub(crate) fn bytes(self) -> [u8; HEADER_LEN] {
        let [a, b, c, d] = self.message.to_be_bytes();
        let ([e, f], [g, h]) = (self.index.to_be_bytes(), self.count.to_be_bytes());
        [a, b, c, d, e, f, g, h]
    }
}
