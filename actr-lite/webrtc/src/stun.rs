//! The parts of STUN that say whom a message is for.

use std::str;

/// What each message has behind its type and length (RFC 8489 §5).
const COOKIE: [u8; 4] = [0x21, 0x12, 0xa4, 0x42];

/// Type, length, cookie, transaction.
const HEADER_LEN: usize = 20;

/// The attribute that names who is asked, and who asks.
const USERNAME: u16 = 6;

/// The number of a question, in its answer too. It is random: only whoever has seen the question can answer it.
pub type Transaction = [u8; 12];

/// A STUN message (RFC 8489 §5), of any method. Nothing is authenticated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stun<'a> {
    /// What it is.
    pub class: Class,
    /// Which question it asks or answers.
    pub transaction: Transaction,
    attributes: &'a [u8],
}

/// What a STUN message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// A question.
    Request,
    /// Something that gets no answer.
    Indication,
    /// The answer to a question.
    Success,
    /// The answer to a question that is refused.
    Failure,
}

impl<'a> Stun<'a> {
    /// Reads a datagram; `None` if it is none of STUN.
    pub fn read(datagram: &'a [u8]) -> Option<Self> {
        let (header, attributes) = datagram.split_at_checked(HEADER_LEN)?;
        let (kind, len) = (number(header)?, number(header.get(2..)?)?);
        if !is_stun(datagram) || header.get(4..8)? != COOKIE || usize::from(len) != attributes.len() {
            return None;
        }
        let class = match (kind & 0x0100, kind & 0x0010) {
            (0, 0) => Class::Request,
            (0, _) => Class::Indication,
            (_, 0) => Class::Success,
            _ => Class::Failure,
        };
        Some(Self {
            class,
            transaction: header.get(8..)?.try_into().ok()?,
            attributes,
        })
    }

    /// Who is asked: of a connectivity check the ICE generation of whoever is to answer it (RFC 8445 §7.2.2).
    pub fn asked(&self) -> Option<&'a str> {
        let mut rest = self.attributes;
        loop {
            let (kind, len) = (number(rest)?, usize::from(number(rest.get(2..)?)?));
            let value = rest.get(4..4 + len)?;
            if kind == USERNAME {
                return str::from_utf8(value).ok()?.split_once(':').map(|(asked, _)| asked);
            }
            rest = rest.get(4 + len.next_multiple_of(4)..)?;
        }
    }
}

/// Whether a datagram is of STUN, as opposed to DTLS and others (RFC 7983 §7).
pub fn is_stun(datagram: &[u8]) -> bool {
    datagram.first().is_some_and(|first| *first < 4)
}

fn number(bytes: &[u8]) -> Option<u16> {
    bytes.first_chunk().map(|bytes| u16::from_be_bytes(*bytes))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A message with this type and this user name.
    pub(crate) fn message(kind: u16, transaction: Transaction, username: &str) -> Vec<u8> {
        let mut attributes = vec![0x80, 0x22, 0, 1, b'x', 0, 0, 0];
        attributes.extend([USERNAME.to_be_bytes(), (username.len() as u16).to_be_bytes()].concat());
        attributes.extend(username.as_bytes());
        attributes.resize(attributes.len().next_multiple_of(4), 0);
        let len = attributes.len() as u16;
        let header = [&kind.to_be_bytes()[..], &len.to_be_bytes(), &COOKIE, &transaction];
        [header.concat(), attributes].concat()
    }

    #[test]
    fn a_message_says_what_it_is_and_whom_it_asks() {
        for (kind, class) in [
            (0x0001, Class::Request),
            (0x0011, Class::Indication),
            (0x0101, Class::Success),
            (0x0113, Class::Failure),
        ] {
            let bytes = message(kind, [7; 12], "mine:yours");
            let stun = Stun::read(&bytes).unwrap();
            assert_eq!((stun.class, stun.transaction), (class, [7; 12]));
            assert_eq!(stun.asked(), Some("mine"));
            assert_eq!(Stun::read(&bytes[..bytes.len() - 4]), None, "it is cut");
        }
        let unnamed = message(0x0001, [7; 12], "nobody");
        assert_eq!(Stun::read(&unnamed).unwrap().asked(), None);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_a_panic(mut bytes in prop::collection::vec(any::<u8>(), 0..64), fixed in any::<bool>()) {
            if fixed && bytes.len() >= HEADER_LEN {
                let len = (bytes.len() - HEADER_LEN) as u16;
                bytes[0] &= 3;
                bytes[2..4].copy_from_slice(&len.to_be_bytes());
                bytes[4..8].copy_from_slice(&COOKIE);
            }
            if let Some(stun) = Stun::read(&bytes) {
                stun.asked();
            }
        }
    }
}
