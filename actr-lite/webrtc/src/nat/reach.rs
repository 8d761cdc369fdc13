//! Whom one peer makes a node send to by way of its relays.

use std::{collections::HashSet, net::SocketAddr, time::Duration};

/// To how many addresses a node sends by way of its relays for one peer. A host has some ten, but a peer names what it likes, and
/// each takes a channel that all peers share.
pub const MAX_ADDRESSES: usize = 32;

/// For how long each counts: a channel ends within that time if nobody uses it any more.
pub const PERIOD: Duration = Duration::from_secs(16 * 60);

/// The addresses to which something was sent for one peer lately.
#[derive(Debug, Default)]
pub struct Reach {
    since: Duration,
    addresses: HashSet<SocketAddr>,
}

impl Reach {
    /// Whether something may be sent there.
    pub fn admits(&mut self, address: SocketAddr, now: Duration) -> bool {
        if now >= self.since + PERIOD {
            self.addresses.clear();
            self.since = now;
        }
        if self.addresses.len() < MAX_ADDRESSES {
            self.addresses.insert(address);
            return true;
        }
        self.addresses.contains(&address)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peer_can_not_take_the_channels_of_others() {
        let address = |port: u16| SocketAddr::from(([192, 0, 2, 1], port));
        let (mut reach, now) = (Reach::default(), Duration::from_secs(9));
        let admitted = (1..1000).filter(|port| reach.admits(address(*port), now));
        assert_eq!(admitted.count(), MAX_ADDRESSES);
        assert!(reach.admits(address(1), now + PERIOD / 2));
        assert!(!reach.admits(address(999), now + PERIOD / 2));
        assert!(reach.admits(address(999), now + PERIOD));
    }
}
