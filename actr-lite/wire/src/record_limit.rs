//! How long a record may be, as a node's configuration says it and as two nodes tell each other.

use std::{fmt, str::FromStr};

use thiserror::Error;

use crate::record::DEFAULT_MAX_RECORD_LEN;

/// The longest body of a record that a node takes, in bytes: from [`Self::MIN`] to [`Self::MAX`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RecordLimit(usize);

impl RecordLimit {
    /// 1 KiB: every control record fits, and every call with a short message.
    pub const MIN: Self = Self(1 << 10);

    /// 64 MiB: a record is held as a whole at both ends, and everything behind it on the connection waits.
    pub const MAX: Self = Self(64 << 20);

    /// A limit of this many bytes.
    ///
    /// # Errors
    /// When that is not from [`Self::MIN`] to [`Self::MAX`].
    pub fn new(bytes: usize) -> Result<Self, RecordLimitError> {
        let limit = Self(bytes);
        if (Self::MIN..=Self::MAX).contains(&limit) {
            Ok(limit)
        } else {
            Err(RecordLimitError)
        }
    }

    /// In bytes.
    pub fn bytes(self) -> usize {
        self.0
    }
}

impl Default for RecordLimit {
    /// [`DEFAULT_MAX_RECORD_LEN`]: also the limit of a node that says none.
    fn default() -> Self {
        Self(DEFAULT_MAX_RECORD_LEN)
    }
}

/// A number is not a record limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error(
    "a record limit is a number of bytes from {} to {}",
    RecordLimit::MIN,
    RecordLimit::MAX
)]
pub struct RecordLimitError;

/// A plain decimal number, as the header of an upgrade carries it.
impl fmt::Display for RecordLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for RecordLimit {
    type Err = RecordLimitError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        // The standard parser takes a leading plus sign, which a header's number does not have.
        if !text.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(RecordLimitError);
        }
        Self::new(text.parse().map_err(|_| RecordLimitError)?)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_limit_is_read_as_it_was_written(bytes in RecordLimit::MIN.0..=RecordLimit::MAX.0) {
            let limit = RecordLimit::new(bytes).unwrap();
            prop_assert_eq!(limit.to_string().parse(), Ok(limit));
            prop_assert_eq!(limit.bytes(), bytes);
        }

        #[test]
        fn any_text_is_a_limit_in_range_or_refused(text in ".{0,12}") {
            if let Ok(limit) = text.parse::<RecordLimit>() {
                prop_assert!(RecordLimit::MIN <= limit && limit <= RecordLimit::MAX);
            }
        }
    }

    #[test]
    fn what_is_out_of_range_or_no_number_is_refused() {
        for text in [
            "",
            "0",
            "1023",
            "67108865",
            "99999999999999999999999",
            "+4096",
            "-1",
            " 4096",
            "4k",
            "0x1000",
        ] {
            assert_eq!(text.parse::<RecordLimit>(), Err(RecordLimitError), "{text:?}");
        }
        assert_eq!("1024".parse(), Ok(RecordLimit::MIN));
        assert_eq!("67108864".parse(), Ok(RecordLimit::MAX));
        assert_eq!("4194304".parse(), Ok(RecordLimit::default()));
    }
}
