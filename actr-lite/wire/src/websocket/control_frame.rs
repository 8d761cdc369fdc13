use super::{
    close_frame::CloseFrame,
    frame_header::{FrameHeader, HEADER_ROOM},
    mask::apply_mask,
    opcode::{ControlKind, MAX_CONTROL_PAYLOAD_LEN, Opcode},
};

/// A control frame to send (RFC 6455 §5.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ControlFrame<'a> {
    /// Asks the peer for a pong with the same payload.
    Ping(&'a [u8]),
    /// Answers a ping with its payload.
    Pong(&'a [u8]),
    /// Ends the connection: only the peer's own close may follow.
    Close(Option<&'a CloseFrame>),
}

/// The bytes of a control frame, without an allocation. Read them through `AsRef` or `Deref`.
#[derive(Clone, Debug)]
pub struct EncodedControl {
    bytes: [u8; HEADER_ROOM + MAX_CONTROL_PAYLOAD_LEN],
    start: usize,
    end: usize,
}

/// Writes a control frame, masked if there is a `mask`, which a client must pass and a server must not.
///
/// The payload of a ping or pong is cut off at [`MAX_CONTROL_PAYLOAD_LEN`]; that of a received ping always fits.
pub fn encode_control(frame: ControlFrame<'_>, mask: Option<[u8; 4]>) -> EncodedControl {
    let code;
    let (kind, parts) = match frame {
        ControlFrame::Ping(payload) => (ControlKind::Ping, [payload, &[]]),
        ControlFrame::Pong(payload) => (ControlKind::Pong, [payload, &[]]),
        ControlFrame::Close(None) => (ControlKind::Close, [&[][..], &[]]),
        ControlFrame::Close(Some(close)) => {
            code = close.code().value().to_be_bytes();
            (ControlKind::Close, [&code[..], close.reason().as_bytes()])
        }
    };

    let mut room = [0; HEADER_ROOM];
    let mut payload = [0; MAX_CONTROL_PAYLOAD_LEN];
    let mut payload_len = 0;
    for (byte, source) in payload.iter_mut().zip(parts.into_iter().flatten()) {
        *byte = *source;
        payload_len += 1;
    }
    if let Some(key) = mask {
        apply_mask(&mut payload, key);
    }
    let start = FrameHeader::outgoing(Opcode::Control(kind), payload_len, mask).write(&mut room);

    let mut bytes = [0; HEADER_ROOM + MAX_CONTROL_PAYLOAD_LEN];
    bytes[..HEADER_ROOM].copy_from_slice(&room);
    bytes[HEADER_ROOM..].copy_from_slice(&payload);
    EncodedControl {
        bytes,
        start,
        end: HEADER_ROOM + payload_len,
    }
}

impl AsRef<[u8]> for EncodedControl {
    fn as_ref(&self) -> &[u8] {
        &self.bytes[self.start..self.end]
    }
}

impl std::ops::Deref for EncodedControl {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.as_ref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::websocket::close_code::CloseCode;

    #[test]
    fn the_examples_of_the_rfc_are_written() {
        // RFC 6455 §5.7, "Unmasked Ping request and masked Ping response".
        let ping = encode_control(ControlFrame::Ping(b"Hello"), None);
        assert_eq!(*ping, [0x89, 0x05, 0x48, 0x65, 0x6c, 0x6c, 0x6f]);
        let pong = encode_control(ControlFrame::Pong(b"Hello"), Some([0x37, 0xfa, 0x21, 0x3d]));
        assert_eq!(
            *pong,
            [0x8a, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58]
        );
    }

    #[test]
    fn a_close_carries_its_code_and_reason() {
        assert_eq!(*encode_control(ControlFrame::Close(None), None), [0x88, 0]);
        let close = CloseFrame::new(CloseCode::GOING_AWAY, "bye");
        let frame = encode_control(ControlFrame::Close(Some(&close)), None);
        assert_eq!(*frame, [0x88, 5, 0x03, 0xE9, b'b', b'y', b'e']);
        let longest = CloseFrame::new(CloseCode::GOING_AWAY, "e".repeat(200));
        assert_eq!(encode_control(ControlFrame::Close(Some(&longest)), None).len(), 2 + 125);
    }

    #[test]
    fn a_payload_over_the_limit_is_cut_off() {
        let ping = encode_control(ControlFrame::Ping(&[7; 200]), None);
        assert_eq!(ping[..2], [0x89, 125]);
        assert_eq!(ping[2..], [7; 125]);
    }
}
