use std::fmt;

/// Why a connection is closed, as a number that may be sent (RFC 6455 §7.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct CloseCode(u16);

impl CloseCode {
    /// The purpose of the connection is fulfilled.
    pub const NORMAL: Self = Self(1000);
    /// The endpoint goes away, for instance because it shuts down.
    pub const GOING_AWAY: Self = Self(1001);
    /// The peer broke the protocol.
    pub const PROTOCOL_ERROR: Self = Self(1002);
    /// The peer sent a kind of data that is not accepted here, such as text.
    pub const UNSUPPORTED_DATA: Self = Self(1003);
    /// The data does not fit its kind, such as text that is not UTF-8.
    pub const INVALID_PAYLOAD: Self = Self(1007);
    /// The message breaks a policy of the receiver, when no other code says it better.
    pub const POLICY_VIOLATION: Self = Self(1008);
    /// The message is too big to be processed.
    pub const MESSAGE_TOO_BIG: Self = Self(1009);
    /// The endpoint met a condition that it did not expect.
    pub const INTERNAL_ERROR: Self = Self(1011);

    /// The code, if it may stand in a close frame: one that RFC 6455 §7.4.1 or, with 1012 to 1014, the IANA registry
    /// of close codes defines for that, or one of 3000 to 4999, which are for libraries and applications (§7.4.2).
    pub fn new(code: u16) -> Option<Self> {
        match code {
            1000..=1003 | 1007..=1014 | 3000..=4999 => Some(Self(code)),
            _ => None,
        }
    }

    /// The number on the wire.
    pub fn value(self) -> u16 {
        self.0
    }
}

impl From<CloseCode> for u16 {
    fn from(code: CloseCode) -> Self {
        code.value()
    }
}

impl fmt::Display for CloseCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_codes_that_may_be_sent_are_accepted() {
        for code in [
            1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1014, 3000, 3999, 4000, 4999,
        ] {
            assert_eq!(CloseCode::new(code).map(CloseCode::value), Some(code));
        }
        for code in [0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, u16::MAX] {
            assert_eq!(CloseCode::new(code), None, "{code}");
        }
    }

    #[test]
    fn the_named_codes_are_valid() {
        for code in [
            CloseCode::NORMAL,
            CloseCode::GOING_AWAY,
            CloseCode::PROTOCOL_ERROR,
            CloseCode::UNSUPPORTED_DATA,
            CloseCode::INVALID_PAYLOAD,
            CloseCode::POLICY_VIOLATION,
            CloseCode::MESSAGE_TOO_BIG,
            CloseCode::INTERNAL_ERROR,
        ] {
            assert_eq!(CloseCode::new(code.value()), Some(code));
        }
    }
}
