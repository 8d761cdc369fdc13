//! Datagrams that leave in one call.

use std::net::SocketAddr;

use crate::{datagram::Datagram, stun::is_stun};

/// How many datagrams the system takes in one call: Linux knew no more than 64 until 6.9.
pub const MAX_SEGMENTS: usize = 64;

/// How many bytes it takes: what an IP packet may have, less an IPv6 and a UDP header.
pub const MAX_LEN: usize = 65_535 - 48;

/// Datagrams between the same two addresses, one behind the other: one of STUN, or others. All but the last have the same
/// length, and the last is not longer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Burst {
    /// Over which of this host's addresses.
    pub from: SocketAddr,
    /// To whom.
    pub to: SocketAddr,
    /// The length of each but the last.
    pub segment: usize,
    /// The datagrams.
    pub bytes: Vec<u8>,
}

impl From<Datagram> for Burst {
    fn from(datagram: Datagram) -> Self {
        Self {
            from: datagram.from,
            to: datagram.to,
            segment: datagram.bytes.len(),
            bytes: datagram.bytes,
        }
    }
}

impl Burst {
    /// Adds one, if it may leave in the same call.
    ///
    /// # Errors
    /// The datagram, which is to leave after these.
    pub fn push(&mut self, datagram: Datagram) -> Result<(), Datagram> {
        let (len, added) = (self.bytes.len(), datagram.bytes.len());
        let is_alike = (datagram.from, datagram.to) == (self.from, self.to);
        let is_data = !is_stun(&self.bytes) && !is_stun(&datagram.bytes);
        let is_whole = self.segment > 0 && len.is_multiple_of(self.segment);
        let has_room = len + added <= MAX_LEN && len < self.segment * MAX_SEGMENTS;
        if !(is_alike && is_data && is_whole && has_room && (1..=self.segment).contains(&added)) {
            return Err(datagram);
        }
        self.bytes.extend_from_slice(&datagram.bytes);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn datagram(port: u16, len: usize, fill: u8) -> Datagram {
        Datagram {
            from: ([192, 0, 2, 1], 1).into(),
            to: ([192, 0, 2, 2], port).into(),
            bytes: vec![23 | fill; len],
        }
    }

    proptest! {
        #[test]
        fn a_burst_is_what_was_put_in(
            sent in prop::collection::vec((1..3_u16, prop_oneof![1..4_usize, Just(1200), Just(1300)]), 1..200),
        ) {
            let sent: Vec<_> = sent.into_iter().enumerate().map(|(at, (port, len))| datagram(port, len, at as u8)).collect();
            let mut bursts: Vec<Burst> = Vec::new();
            for datagram in sent.clone() {
                match bursts.last_mut() {
                    None => bursts.push(datagram.into()),
                    Some(last) => if let Err(datagram) = last.push(datagram) {
                        bursts.push(datagram.into());
                    },
                }
            }
            let mut arrived = Vec::new();
            for Burst { from, to, segment, bytes } in &bursts {
                prop_assert!(bytes.len() <= MAX_LEN);
                prop_assert!(bytes.chunks(*segment).count() <= MAX_SEGMENTS);
                arrived.extend(bytes.chunks(*segment).map(|bytes| Datagram { from: *from, to: *to, bytes: bytes.to_vec() }));
            }
            prop_assert_eq!(arrived, sent);
        }
    }

    #[test]
    fn a_message_of_stun_leaves_alone() {
        let stun = || Datagram {
            bytes: vec![0; 100],
            ..datagram(1, 0, 0)
        };
        assert_eq!(Burst::from(stun()).push(datagram(1, 100, 1)), Err(datagram(1, 100, 1)));
        assert_eq!(Burst::from(datagram(1, 100, 1)).push(stun()), Err(stun()));
    }

    #[test]
    fn datagrams_of_one_size_leave_together() {
        let mut burst = Burst::from(datagram(1, 1000, 1));
        for _ in 1..MAX_SEGMENTS {
            assert_eq!(burst.push(datagram(1, 1000, 1)), Ok(()));
        }
        assert!(burst.push(datagram(1, 1000, 1)).is_err());
    }
}
