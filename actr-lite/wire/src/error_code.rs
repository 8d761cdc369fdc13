//! The numbers that failures carry over the wire (actr 0.4.21).

use std::fmt;

/// What kind of failure it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorCode {
    /// The peer can't serve now; later it may.
    Unavailable,
    /// Nobody answered in time.
    TimedOut,
    /// The requested thing does not exist.
    NotFound,
    /// The caller may not do this.
    PermissionDenied,
    /// The request is well-formed but asks for something that is not possible.
    InvalidArgument,
    /// No service has this route.
    UnknownRoute,
    /// A dependency is not there.
    DependencyNotFound,
    /// The bytes are not the message they should be.
    DecodeFailure,
    /// The peer knows the route and does nothing with it.
    NotImplemented,
    /// The peer failed by its own fault.
    Internal,
    /// There is no connection to the peer.
    ConnectionNotReady,
    /// A number that this table does not have.
    Other(u32),
}

impl ErrorCode {
    /// The number on the wire.
    pub fn number(self) -> u32 {
        match self {
            Self::Unavailable => 10001,
            Self::TimedOut => 10002,
            Self::NotFound => 10003,
            Self::PermissionDenied => 10004,
            Self::InvalidArgument => 10005,
            Self::UnknownRoute => 10006,
            Self::DependencyNotFound => 10007,
            Self::DecodeFailure => 10008,
            Self::NotImplemented => 10009,
            Self::Internal => 10010,
            Self::ConnectionNotReady => 10011,
            Self::Other(number) => number,
        }
    }
}

impl From<u32> for ErrorCode {
    fn from(number: u32) -> Self {
        match number {
            10001 => Self::Unavailable,
            10002 => Self::TimedOut,
            10003 => Self::NotFound,
            10004 => Self::PermissionDenied,
            10005 => Self::InvalidArgument,
            10006 => Self::UnknownRoute,
            10007 => Self::DependencyNotFound,
            10008 => Self::DecodeFailure,
            10009 => Self::NotImplemented,
            10010 => Self::Internal,
            10011 => Self::ConnectionNotReady,
            number => Self::Other(number),
        }
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Other(number) => write!(f, "error {number}"),
            known => write!(f, "{known:?}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_names_one_code_and_back() {
        for number in 0..20_000 {
            assert_eq!(ErrorCode::from(number).number(), number);
        }
        let known = (0..20_000).filter(|number| !matches!(ErrorCode::from(*number), ErrorCode::Other(_)));
        assert_eq!(known.collect::<Vec<_>>(), (10001..=10011).collect::<Vec<_>>());
    }
}
