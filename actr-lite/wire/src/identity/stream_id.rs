use std::{borrow::Borrow, fmt, str::FromStr, sync::Arc};

use thiserror::Error;

use super::beginning;
use crate::peer_text;

/// The most bytes that a stream id may have: it travels with every frame, and a receiver keeps one for each stream.
pub const MAX_STREAM_ID_LEN: usize = 128;

/// The name of a stream: 1 to [`MAX_STREAM_ID_LEN`] bytes without characters that steer a terminal or hide text.
///
/// Cheap to clone and to move, as every frame has one.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct StreamId(Arc<str>);

impl StreamId {
    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Why a text is not a stream id.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("stream id {text:?} is not 1 to {MAX_STREAM_ID_LEN} bytes without control characters or hidden ones")]
pub struct ParseStreamIdError {
    /// The beginning of the text.
    text: String,
}

impl FromStr for StreamId {
    type Err = ParseStreamIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if (1..=MAX_STREAM_ID_LEN).contains(&text.len()) && !text.chars().any(peer_text::steers) {
            return Ok(Self(text.into()));
        }
        Err(ParseStreamIdError { text: beginning(text) })
    }
}

impl Borrow<str> for StreamId {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl AsRef<str> for StreamId {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl From<StreamId> for String {
    fn from(id: StreamId) -> Self {
        id.as_str().into()
    }
}

impl fmt::Display for StreamId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for StreamId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StreamId({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_short_and_printable() {
        assert_eq!("ab12cd34".parse::<StreamId>().unwrap().as_str(), "ab12cd34");
        assert!("x".repeat(MAX_STREAM_ID_LEN).parse::<StreamId>().is_ok());
        for text in ["", "a\nb", "a\0b", "a\u{202e}b", &"x".repeat(MAX_STREAM_ID_LEN + 1)] {
            assert!(text.parse::<StreamId>().is_err(), "{text:?}");
        }
    }
}
