use super::{
    frame_header::{FrameHeader, HEADER_ROOM},
    mask::apply_mask,
    opcode::{DataKind, Opcode},
};

/// Makes one unfragmented binary message of a buffer that holds [`HEADER_ROOM`] bytes of any value and then the
/// payload, in place: writes the header directly in front of the payload, and masks the payload if there is a `mask`.
///
/// Returns where the frame starts; it ends with the buffer. A client passes a masking key that the peer can't
/// predict and uses it once; a server passes `None` ([`Role::masks`](super::Role::masks)).
///
/// # Panics
///
/// If the buffer is shorter than [`HEADER_ROOM`].
pub fn seal(buffer: &mut [u8], mask: Option<[u8; 4]>) -> usize {
    let Some((room, payload)) = buffer.split_first_chunk_mut() else {
        panic!("a buffer to seal begins with {HEADER_ROOM} bytes for the header");
    };
    if let Some(key) = mask {
        apply_mask(payload, key);
    }
    FrameHeader::outgoing(Opcode::Data(DataKind::Binary), payload.len(), mask).write(room)
}

/// Which part of a message a frame carries (RFC 6455 §5.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fragment {
    /// All of it.
    Whole,
    /// The first of several.
    First,
    /// Neither the first nor the last.
    Middle,
    /// The last of several.
    Last,
}

/// Appends a frame of a binary message, with a copy of the payload, masked if there is a `mask`.
///
/// Control frames may stand between the fragments of a message, frames of other messages may not.
pub fn append_frame(out: &mut Vec<u8>, fragment: Fragment, payload: &[u8], mask: Option<[u8; 4]>) {
    let opcode = match fragment {
        Fragment::Whole | Fragment::First => Opcode::Data(DataKind::Binary),
        Fragment::Middle | Fragment::Last => Opcode::Continuation,
    };
    let header = FrameHeader {
        is_final: matches!(fragment, Fragment::Whole | Fragment::Last),
        ..FrameHeader::outgoing(opcode, payload.len(), mask)
    };
    let mut room = [0; HEADER_ROOM];
    let start = header.write(&mut room);
    out.extend_from_slice(&room[start..]);
    let payload_start = out.len();
    out.extend_from_slice(payload);
    if let Some(key) = mask {
        apply_mask(&mut out[payload_start..], key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sealed(payload: &[u8], mask: Option<[u8; 4]>) -> Vec<u8> {
        let mut buffer = vec![0; HEADER_ROOM];
        buffer.extend_from_slice(payload);
        let start = seal(&mut buffer, mask);
        buffer.split_off(start)
    }

    #[test]
    fn a_payload_of_each_length_class_gets_its_header() {
        for (len, header) in [
            (0, &[0x82, 0][..]),
            (125, &[0x82, 125]),
            (126, &[0x82, 126, 0, 126]),
            (65_535, &[0x82, 126, 0xFF, 0xFF]),
            (65_536, &[0x82, 127, 0, 0, 0, 0, 0, 1, 0, 0]),
        ] {
            let payload = vec![7; len];
            let frame = sealed(&payload, None);
            assert_eq!(&frame[..header.len()], header);
            assert_eq!(&frame[header.len()..], payload);
        }
    }

    #[test]
    fn a_masked_message_carries_its_key() {
        let frame = sealed(b"Hello", Some([0x37, 0xfa, 0x21, 0x3d]));
        // The bytes of RFC 6455 §5.7, "A single-frame masked text message", but for the opcode.
        assert_eq!(
            frame,
            [0x82, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58]
        );
    }

    #[test]
    fn a_fragmented_message_is_written_as_in_the_rfc() {
        // RFC 6455 §5.7, "A fragmented unmasked text message", but for the opcode.
        let mut out = Vec::new();
        append_frame(&mut out, Fragment::First, b"Hel", None);
        append_frame(&mut out, Fragment::Middle, b"", None);
        append_frame(&mut out, Fragment::Last, b"lo", None);
        assert_eq!(out, *b"\x02\x03Hel\x00\x00\x80\x02lo");
        out.clear();
        append_frame(&mut out, Fragment::Whole, b"Hello", Some([0x37, 0xfa, 0x21, 0x3d]));
        assert_eq!(out, sealed(b"Hello", Some([0x37, 0xfa, 0x21, 0x3d])));
    }

    #[test]
    #[should_panic(expected = "14 bytes for the header")]
    fn a_buffer_without_room_is_a_mistake_of_the_caller() {
        seal(&mut [0; HEADER_ROOM - 1], None);
    }
}
