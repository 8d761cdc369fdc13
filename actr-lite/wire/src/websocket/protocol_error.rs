use super::{close_code::CloseCode, opcode::MAX_CONTROL_PAYLOAD_LEN};

/// What a peer did against RFC 6455 or against this node's limit. The connection can't be read any further.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProtocolError {
    /// A reserved bit is set although no extension was negotiated (§5.2).
    #[error(
        "reserved bits are set in the WebSocket frame header (first byte 0x{first_byte:02x}), but no extension was negotiated"
    )]
    ReservedBits {
        /// The first byte of the frame.
        first_byte: u8,
    },
    /// The opcode has no meaning yet (§5.2).
    #[error("the WebSocket frame has the reserved opcode 0x{opcode:x}")]
    ReservedOpcode {
        /// 0x3 to 0x7 or 0xB to 0xF.
        opcode: u8,
    },
    /// A client sent a frame without a mask (§5.1).
    #[error("the client sent a WebSocket frame without a mask")]
    MaskMissing,
    /// A server sent a masked frame (§5.1).
    #[error("the server sent a masked WebSocket frame")]
    MaskNotAllowed,
    /// A ping, pong or close is not the only frame of its message (§5.5).
    #[error("a WebSocket control frame is fragmented")]
    FragmentedControl,
    /// A ping, pong or close is too long (§5.5).
    #[error("a WebSocket control frame has more than {MAX_CONTROL_PAYLOAD_LEN} bytes of payload")]
    ControlTooLong,
    /// A continuation frame arrived, but no message was begun (§5.4).
    #[error("a WebSocket continuation frame arrived outside a fragmented message")]
    ContinuationWithoutStart,
    /// A new message began before the fragmented one ended (§5.4).
    #[error("a new WebSocket message began inside a fragmented message")]
    DataInsideFragmented,
    /// The message is longer than this node accepts. Found on the header, before the payload is read.
    #[error("a WebSocket message of at least {len} bytes is over the limit of {limit} bytes")]
    MessageTooLong {
        /// What the frame announces, with the earlier fragments of its message. In bytes.
        len: u64,
        /// What the decoder was given as its limit. In bytes.
        limit: usize,
    },
    /// The payload length is not in the shortest form, or its top bit is set (§5.2).
    #[error("the WebSocket payload length {len} is not encoded in the shortest form, or is 2^63 or more")]
    InvalidLength {
        /// The length as it was sent.
        len: u64,
    },
    /// A close frame has one byte of payload, and a close code has two (§5.5.1).
    #[error("a WebSocket close frame has one byte of payload, which is half a close code")]
    TruncatedCloseCode,
    /// A close frame has a code that must not be sent (§7.4).
    #[error("a WebSocket close frame has the invalid close code {code}")]
    InvalidCloseCode {
        /// The code as it was sent.
        code: u16,
    },
    /// The reason in a close frame is not UTF-8 (§5.5.1).
    #[error("the reason in a WebSocket close frame is not UTF-8")]
    CloseReasonNotUtf8,
}

impl ProtocolError {
    /// The code to close the connection with (§7.4.1).
    pub fn close_code(&self) -> CloseCode {
        match self {
            Self::MessageTooLong { .. } => CloseCode::MESSAGE_TOO_BIG,
            Self::CloseReasonNotUtf8 => CloseCode::INVALID_PAYLOAD,
            Self::ReservedBits { .. }
            | Self::ReservedOpcode { .. }
            | Self::MaskMissing
            | Self::MaskNotAllowed
            | Self::FragmentedControl
            | Self::ControlTooLong
            | Self::ContinuationWithoutStart
            | Self::DataInsideFragmented
            | Self::InvalidLength { .. }
            | Self::TruncatedCloseCode
            | Self::InvalidCloseCode { .. } => CloseCode::PROTOCOL_ERROR,
        }
    }
}
