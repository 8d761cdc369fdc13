use super::{
    opcode::{MAX_CONTROL_PAYLOAD_LEN, Opcode},
    protocol_error::ProtocolError,
    role::Role,
};

/// How many bytes a buffer for [`seal`](super::seal()) reserves in front of the payload: the longest header, which has an
/// eight-byte length and a masking key (RFC 6455 §5.2).
pub const HEADER_ROOM: usize = 2 + 8 + 4;

/// The shortest header: two bytes, with neither an extended length nor a masking key.
pub(super) const MIN_HEADER_LEN: usize = 2;

const FINAL_BIT: u8 = 0x80;
const RESERVED_BITS: u8 = 0x70;
const MASK_BIT: u8 = 0x80;
/// Values of the seven-bit length which say that the length follows in two or eight bytes.
const LENGTH_IN_TWO: u8 = 126;
const LENGTH_IN_EIGHT: u8 = 127;
/// The greatest length in the header's second byte itself.
const MAX_SHORT_LEN: u64 = 125;
/// The greatest length in two further bytes.
const MAX_TWO_BYTE_LEN: u64 = 0xFFFF;
/// The greatest length at all: the top bit must be 0.
const MAX_LEN: u64 = u64::MAX >> 1;

/// The header of a frame (RFC 6455 §5.2) that is legal by itself for the role it was read in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FrameHeader {
    pub(super) is_final: bool,
    pub(super) opcode: Opcode,
    pub(super) mask: Option<[u8; 4]>,
    pub(super) payload_len: u64,
}

/// What [`FrameHeader::parse`] found at the beginning of the bytes.
pub(super) enum Parsed {
    /// Not the whole header: at least `missing` more bytes belong to it.
    Incomplete { missing: usize },
    /// The header, in the first `header_len` bytes.
    Complete { header: FrameHeader, header_len: usize },
}

impl FrameHeader {
    /// Reads what stands before a payload, in what the peer of a `role` sent.
    pub(super) fn parse(bytes: &[u8], role: Role) -> Result<Parsed, ProtocolError> {
        let [first, second, rest @ ..] = bytes else {
            return Ok(Parsed::Incomplete {
                missing: MIN_HEADER_LEN - bytes.len(),
            });
        };
        if first & RESERVED_BITS != 0 {
            return Err(ProtocolError::ReservedBits { first_byte: *first });
        }
        let is_final = first & FINAL_BIT != 0;
        let nibble = first & 0x0F;
        let opcode = Opcode::from_nibble(nibble).ok_or(ProtocolError::ReservedOpcode { opcode: nibble })?;
        let short_len = second & !MASK_BIT;
        if let Opcode::Control(_) = opcode {
            if !is_final {
                return Err(ProtocolError::FragmentedControl);
            }
            if usize::from(short_len) > MAX_CONTROL_PAYLOAD_LEN {
                return Err(ProtocolError::ControlTooLong);
            }
        }
        let is_masked = second & MASK_BIT != 0;
        match (role, is_masked) {
            (Role::Client, true) => return Err(ProtocolError::MaskNotAllowed),
            (Role::Server, false) => return Err(ProtocolError::MaskMissing),
            (Role::Client, false) | (Role::Server, true) => {}
        }

        let extended_len = match short_len {
            LENGTH_IN_TWO => 2,
            LENGTH_IN_EIGHT => 8,
            _ => 0,
        };
        let header_len = MIN_HEADER_LEN + extended_len + if is_masked { 4 } else { 0 };
        let incomplete = Parsed::Incomplete {
            missing: header_len.saturating_sub(bytes.len()),
        };
        let (payload_len, rest) = match short_len {
            LENGTH_IN_TWO => match rest.split_first_chunk() {
                Some((len, rest)) => (u64::from(u16::from_be_bytes(*len)), rest),
                None => return Ok(incomplete),
            },
            LENGTH_IN_EIGHT => match rest.split_first_chunk() {
                Some((len, rest)) => (u64::from_be_bytes(*len), rest),
                None => return Ok(incomplete),
            },
            len => (u64::from(len), rest),
        };
        if extended_len != shortest_extension(payload_len) || payload_len > MAX_LEN {
            return Err(ProtocolError::InvalidLength { len: payload_len });
        }
        let mask = match (is_masked, rest.first_chunk()) {
            (false, _) => None,
            (true, Some(key)) => Some(*key),
            (true, None) => return Ok(incomplete),
        };
        Ok(Parsed::Complete {
            header: Self {
                is_final,
                opcode,
                mask,
                payload_len,
            },
            header_len,
        })
    }

    /// The header of a whole binary message, or of a control frame, that this node sends.
    pub(super) fn outgoing(opcode: Opcode, payload_len: usize, mask: Option<[u8; 4]>) -> Self {
        Self {
            is_final: true,
            opcode,
            mask,
            payload_len: payload_len as u64,
        }
    }

    /// Writes the header at the end of `room`; returns where in it the header starts.
    pub(super) fn write(self, room: &mut [u8; HEADER_ROOM]) -> usize {
        let mut start = HEADER_ROOM;
        let mut mask_bit = 0;
        if let Some(key) = self.mask {
            start = put_before(room, start, &key);
            mask_bit = MASK_BIT;
        }
        let short_len = match shortest_extension(self.payload_len) {
            0 => self.payload_len as u8,
            2 => {
                start = put_before(room, start, &(self.payload_len as u16).to_be_bytes());
                LENGTH_IN_TWO
            }
            _ => {
                start = put_before(room, start, &self.payload_len.to_be_bytes());
                LENGTH_IN_EIGHT
            }
        };
        let final_bit = if self.is_final { FINAL_BIT } else { 0 };
        put_before(room, start, &[final_bit | self.opcode.nibble(), mask_bit | short_len])
    }
}

/// How many bytes the shortest form of a length takes beside the header's second byte.
fn shortest_extension(payload_len: u64) -> usize {
    if payload_len <= MAX_SHORT_LEN {
        0
    } else if payload_len <= MAX_TWO_BYTE_LEN {
        2
    } else {
        8
    }
}

fn put_before(room: &mut [u8; HEADER_ROOM], end: usize, bytes: &[u8]) -> usize {
    let start = end - bytes.len();
    room[start..end].copy_from_slice(bytes);
    start
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::websocket::opcode::DataKind;

    const BINARY: Opcode = Opcode::Data(DataKind::Binary);

    fn parse(bytes: &[u8], role: Role) -> Result<Option<(FrameHeader, usize)>, ProtocolError> {
        Ok(match FrameHeader::parse(bytes, role)? {
            Parsed::Incomplete { .. } => None,
            Parsed::Complete { header, header_len } => Some((header, header_len)),
        })
    }

    #[test]
    fn every_length_class_is_read_back_from_the_shortest_form() {
        for (payload_len, header_len) in [
            (0, 2),
            (1, 2),
            (125, 2),
            (126, 4),
            (65_535, 4),
            (65_536, 10),
            (i64::MAX as usize, 10),
        ] {
            for mask in [None, Some([1, 2, 3, 4])] {
                let header = FrameHeader::outgoing(BINARY, payload_len, mask);
                let mut room = [0xEE; HEADER_ROOM];
                let start = header.write(&mut room);
                let (bytes, role, header_len) = match mask {
                    None => (&room[start..], Role::Client, header_len),
                    Some(_) => (&room[start..], Role::Server, header_len + 4),
                };
                assert_eq!(bytes.len(), header_len);
                assert_eq!(parse(bytes, role), Ok(Some((header, header_len))));
                assert!(room[..start].iter().all(|byte| *byte == 0xEE), "wrote before the start");
            }
        }
    }

    #[test]
    fn an_incomplete_header_says_how_many_bytes_are_missing() {
        for payload_len in [5, 300, 70_000] {
            let mut room = [0; HEADER_ROOM];
            let start = FrameHeader::outgoing(BINARY, payload_len, Some([9; 4])).write(&mut room);
            let bytes = &room[start..];
            for cut in 0..bytes.len() {
                let Ok(Parsed::Incomplete { missing }) = FrameHeader::parse(&bytes[..cut], Role::Server) else {
                    panic!("{cut} of {} bytes are no header", bytes.len());
                };
                let expected = if cut < MIN_HEADER_LEN {
                    MIN_HEADER_LEN
                } else {
                    bytes.len()
                };
                assert_eq!(missing, expected - cut);
            }
        }
    }

    #[test]
    fn a_length_that_is_not_in_the_shortest_form_is_refused() {
        for (bytes, len) in [
            (&[0x82, 126, 0, 0][..], 0),
            (&[0x82, 126, 0, 125], 125),
            (&[0x82, 127, 0, 0, 0, 0, 0, 0, 0, 5], 5),
            (&[0x82, 127, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF], 0xFFFF),
            (&[0x82, 127, 0x80, 0, 0, 0, 0, 0, 0, 0], 1 << 63),
            (&[0x82, 127, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF], u64::MAX),
        ] {
            assert_eq!(parse(bytes, Role::Client), Err(ProtocolError::InvalidLength { len }));
        }
    }

    #[test]
    fn each_reserved_bit_is_refused() {
        for bit in [0x40, 0x20, 0x10] {
            let first_byte = 0x82 | bit;
            assert_eq!(
                parse(&[first_byte, 0], Role::Client),
                Err(ProtocolError::ReservedBits { first_byte })
            );
        }
    }

    #[test]
    fn each_reserved_opcode_is_refused() {
        for opcode in (0x3..=0x7).chain(0xB..=0xF) {
            let refused = Err(ProtocolError::ReservedOpcode { opcode });
            assert_eq!(parse(&[0x80 | opcode, 0], Role::Client), refused);
        }
    }

    #[test]
    fn a_mask_is_refused_by_a_client_and_demanded_by_a_server() {
        assert_eq!(
            parse(&[0x82, 0x80, 1, 2, 3, 4], Role::Client),
            Err(ProtocolError::MaskNotAllowed)
        );
        assert_eq!(parse(&[0x82, 0], Role::Server), Err(ProtocolError::MaskMissing));
    }

    #[test]
    fn a_control_frame_is_refused_in_fragments_or_over_125_bytes() {
        for nibble in [0x8, 0x9, 0xA] {
            assert_eq!(parse(&[nibble, 0], Role::Client), Err(ProtocolError::FragmentedControl));
            for len in [126, 127] {
                assert_eq!(
                    parse(&[0x80 | nibble, len], Role::Client),
                    Err(ProtocolError::ControlTooLong)
                );
            }
            assert!(matches!(parse(&[0x80 | nibble, 125], Role::Client), Ok(Some(_))));
        }
    }
}
