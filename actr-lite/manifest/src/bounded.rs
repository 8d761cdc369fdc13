use std::{fmt, time::Duration};

use serde::{Deserialize, Deserializer, de::Error as _};
use thiserror::Error;

use crate::expecting::{NumberOrText, number_or_text, whole_number};

/// A whole number from `MIN` to `MAX`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Bounded<const MIN: usize, const MAX: usize>(usize);

/// A number is not in its range.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("it has to be from {min} to {max}")]
pub struct OutOfRange {
    min: usize,
    max: usize,
}

impl<const MIN: usize, const MAX: usize> Bounded<MIN, MAX> {
    /// A number.
    ///
    /// # Errors
    /// When it is below `MIN` or above `MAX`.
    pub const fn new(number: usize) -> Result<Self, OutOfRange> {
        if MIN <= number && number <= MAX {
            Ok(Self(number))
        } else {
            Err(OutOfRange { min: MIN, max: MAX })
        }
    }

    /// For defaults: one out of range is an error of the compiler.
    pub(crate) const fn constant<const NUMBER: usize>() -> Self {
        const { assert!(MIN <= NUMBER && NUMBER <= MAX) };
        Self(NUMBER)
    }

    /// Reads one, for which `expected` has an example.
    pub(crate) fn read<'de, D: Deserializer<'de>>(deserializer: D, expected: &'static str) -> Result<Self, D::Error> {
        let number = whole_number(deserializer, expected)?;
        // What no usize can hold is out of every range, at the same end as its own.
        let number = usize::try_from(number).unwrap_or(if number < 0 { 0 } else { usize::MAX });
        Self::new(number).map_err(D::Error::custom)
    }

    /// The number.
    pub const fn get(self) -> usize {
        self.0
    }
}

impl<const MIN: usize, const MAX: usize> fmt::Display for Bounded<MIN, MAX> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// How long something may take: from [`Self::MIN`] to [`Self::MAX`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timeout(Duration);

impl Timeout {
    /// 10 ms: on a busy machine a shorter timeout ends work that is on time.
    pub const MIN: Self = Self(Duration::from_millis(10));

    /// A day: a longer timeout bounds nothing.
    pub const MAX: Self = Self(Duration::from_secs(24 * 60 * 60));

    /// This much time.
    ///
    /// # Errors
    /// When that is not from [`Self::MIN`] to [`Self::MAX`].
    pub fn new(duration: Duration) -> Result<Self, TimeoutError> {
        let timeout = Self(duration);
        if (Self::MIN..=Self::MAX).contains(&timeout) {
            Ok(timeout)
        } else {
            Err(TimeoutError)
        }
    }

    pub(crate) const fn constant<const SECONDS: u64>() -> Self {
        const { assert!(1 <= SECONDS && SECONDS <= Self::MAX.0.as_secs()) };
        Self(Duration::from_secs(SECONDS))
    }

    /// The time.
    pub const fn duration(self) -> Duration {
        self.0
    }
}

/// Whole seconds, or a text with a unit.
impl<'de> Deserialize<'de> for Timeout {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        const EXPECTED: &str = "seconds, or a text like \"500ms\", \"30s\" or \"5min\"";
        let duration = match number_or_text(deserializer, EXPECTED)? {
            NumberOrText::Text(text) => humantime::parse_duration(&text)
                .map_err(|error| D::Error::custom(format_args!("{error}: write it like 500ms, 30s or 5min")))?,
            NumberOrText::Number(seconds) => {
                Duration::from_secs(u64::try_from(seconds).unwrap_or(if seconds < 0 { 0 } else { u64::MAX }))
            }
        };
        Self::new(duration).map_err(D::Error::custom)
    }
}

/// A duration is out of range.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("it has to be from 10 ms to a day")]
pub struct TimeoutError;

/// How long something is valid: from a second to [`Timeout::MAX`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Lifetime(Timeout);

impl Lifetime {
    /// As a duration.
    pub const fn duration(self) -> Duration {
        self.0.duration()
    }
}

/// Read like a [`Timeout`], of at least a second.
impl<'de> Deserialize<'de> for Lifetime {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let timeout = Timeout::deserialize(deserializer)?;
        if timeout.duration() < Duration::from_secs(1) {
            return Err(D::Error::custom("it is at least a second"));
        }
        Ok(Self(timeout))
    }
}
