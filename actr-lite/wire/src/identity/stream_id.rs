use std::{borrow::Borrow, fmt, str::FromStr, sync::Arc};

use thiserror::Error;

use super::beginning;
use crate::peer_text;

/// The most bytes that a stream id may have: it travels with every frame, and a receiver keeps one for each stream.
pub const MAX_STREAM_ID_LEN: usize = 128;

/// The length of a random id, and what it is made of: short enough to read out, and one of 36⁸.
const RANDOM_ID_LEN: usize = 8;
const RANDOM_ID_CHARS: &[u8] = b"abcdefghijklmnopqrstuvwxyz0123456789";

/// The name of a stream: 1 to [`MAX_STREAM_ID_LEN`] bytes without characters that steer a terminal or hide text.
///
/// Cheap to clone and to move, as every frame has one.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct StreamId(Arc<str>);

impl StreamId {
    /// The id for a random number: 8 lowercase letters and digits.
    pub fn from_random(random: u64) -> Self {
        let digits = (0..RANDOM_ID_LEN).scan(random, |rest, _| {
            let digit = RANDOM_ID_CHARS[(*rest % RANDOM_ID_CHARS.len() as u64) as usize];
            *rest /= RANDOM_ID_CHARS.len() as u64;
            Some(char::from(digit))
        });
        Self(digits.collect::<String>().into())
    }

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
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn a_random_id_is_8_lowercase_letters_and_digits() {
        for random in [0, 1, 36, u64::MAX / 3, u64::MAX] {
            let id = StreamId::from_random(random);
            let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
            assert!(id.as_str().bytes().all(fits) && id.as_str().len() == 8, "{id}");
            assert_eq!(id.as_str().parse(), Ok(id));
        }
    }

    #[test]
    fn random_ids_of_different_numbers_differ() {
        let ids: HashSet<_> = (0..10_000).map(StreamId::from_random).collect();
        assert_eq!(ids.len(), 10_000);
    }

    #[test]
    fn an_id_is_short_and_printable() {
        assert_eq!("ab12cd34".parse::<StreamId>().unwrap().as_str(), "ab12cd34");
        assert!("x".repeat(MAX_STREAM_ID_LEN).parse::<StreamId>().is_ok());
        for text in ["", "a\nb", "a\0b", "a\u{202e}b", &"x".repeat(MAX_STREAM_ID_LEN + 1)] {
            assert!(text.parse::<StreamId>().is_err(), "{text:?}");
        }
    }
}
