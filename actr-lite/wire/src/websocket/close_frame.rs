use super::{close_code::CloseCode, opcode::MAX_CONTROL_PAYLOAD_LEN, protocol_error::ProtocolError};

/// The longest reason that fits into a close frame beside the two bytes of the code.
const MAX_REASON_LEN: usize = MAX_CONTROL_PAYLOAD_LEN - 2;

/// What a close frame says (RFC 6455 §5.5.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CloseFrame {
    code: CloseCode,
    reason: String,
}

impl CloseFrame {
    /// A close frame with a reason for logs. A reason over 123 bytes is cut at the last character that fits.
    pub fn new(code: CloseCode, reason: impl Into<String>) -> Self {
        let mut reason = reason.into();
        reason.truncate(reason.floor_char_boundary(MAX_REASON_LEN));
        Self { code, reason }
    }

    /// Why the connection is closed.
    pub fn code(&self) -> CloseCode {
        self.code
    }

    /// The same in words, at most 123 bytes, often empty. From a peer it may hold control characters.
    pub fn reason(&self) -> &str {
        &self.reason
    }

    /// The payload of a close frame that says this.
    pub fn payload(&self) -> Vec<u8> {
        [&self.code.value().to_be_bytes()[..], self.reason.as_bytes()].concat()
    }

    /// Reads the payload of a close frame, which may be empty.
    ///
    /// # Errors
    /// When it is none.
    pub fn parse(payload: &[u8]) -> Result<Option<Self>, ProtocolError> {
        let (code, reason) = match payload {
            [] => return Ok(None),
            [_] => return Err(ProtocolError::TruncatedCloseCode),
            [high, low, reason @ ..] => (u16::from_be_bytes([*high, *low]), reason),
        };
        let code = CloseCode::new(code).ok_or(ProtocolError::InvalidCloseCode { code })?;
        let reason = str::from_utf8(reason).map_err(|_| ProtocolError::CloseReasonNotUtf8)?;
        Ok(Some(Self::new(code, reason)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_reason_is_cut_between_characters() {
        let frame = CloseFrame::new(CloseCode::NORMAL, "é".repeat(100));
        assert_eq!(frame.reason(), "é".repeat(61));
        let frame = CloseFrame::new(CloseCode::NORMAL, "e".repeat(124));
        assert_eq!(frame.reason(), "e".repeat(123));
        let frame = CloseFrame::new(CloseCode::NORMAL, "e".repeat(123));
        assert_eq!(frame.reason().len(), 123);
        assert_eq!(CloseFrame::parse(&frame.payload()), Ok(Some(frame)));
    }
}
