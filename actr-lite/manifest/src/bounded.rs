use std::{fmt, time::Duration};

use thiserror::Error;

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
pub struct Patience(Duration);

impl Patience {
    /// 10 ms: what is shorter ends what a busy machine does in time.
    pub const MIN: Self = Self(Duration::from_millis(10));

    /// A day: what may take longer is not bounded by a clock.
    pub const MAX: Self = Self(Duration::from_secs(24 * 60 * 60));

    /// So much time.
    ///
    /// # Errors
    /// When that is not from [`Self::MIN`] to [`Self::MAX`].
    pub fn new(duration: Duration) -> Result<Self, PatienceError> {
        let patience = Self(duration);
        if (Self::MIN..=Self::MAX).contains(&patience) {
            Ok(patience)
        } else {
            Err(PatienceError)
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

/// A duration is not one that something may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("it has to be from 10 ms to a day")]
pub struct PatienceError;

/// How long something is good, counted in seconds: from one to [`Patience::MAX`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Lifetime(Patience);

impl Lifetime {
    /// None below a second.
    pub(crate) fn new(patience: Patience) -> Option<Self> {
        (patience.duration() >= Duration::from_secs(1)).then_some(Self(patience))
    }

    /// As a duration.
    pub const fn duration(self) -> Duration {
        self.0.duration()
    }
}
