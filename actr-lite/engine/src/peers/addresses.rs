//! What is known of where peers listen.

use std::{collections::BTreeMap, time::Duration};

use actr_lite_wire::identity::ActrId;

/// How many addresses of other nodes are remembered: a few kilobytes' worth; a forgotten one is asked for again.
const MAX_ADDRESSES: usize = 1024;

/// How long to wait for the registry before a doubtful address is tried once more.
pub const DOUBT_TIMEOUT: Duration = Duration::from_secs(1);

/// Where the data lanes of other nodes listen, as the registry has told.
#[derive(Debug)]
pub struct Addresses<Address> {
    known: BTreeMap<ActrId, Known<Address>>,
}

#[derive(Debug)]
struct Known<Address> {
    address: Address,
    /// It could not be reached there: the registry may know better.
    is_doubtful: bool,
}

/// What is known of a peer's address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LookUp<Address> {
    /// It listens here.
    Known(Address),
    /// It did, and could not be reached: the registry is asked for [`DOUBT_TIMEOUT`].
    Doubtful(Address),
    /// The registry has to be asked.
    Unknown,
}

impl<Address> Default for Addresses<Address> {
    fn default() -> Self {
        Self { known: BTreeMap::new() }
    }
}

impl<Address: Clone> Addresses<Address> {
    /// Where a peer listens. As long as the registry is away there is nobody who knows better.
    pub fn look_up(&self, peer: &ActrId, registry_is_away: bool) -> LookUp<Address> {
        match self.known.get(peer) {
            None => LookUp::Unknown,
            Some(Known { address, is_doubtful }) => match *is_doubtful && !registry_is_away {
                true => LookUp::Doubtful(address.clone()),
                false => LookUp::Known(address.clone()),
            },
        }
    }

    /// The registry has told where a peer listens.
    pub fn learn(&mut self, peer: ActrId, address: Address) {
        if self.known.len() >= MAX_ADDRESSES && !self.known.contains_key(&peer) {
            self.known.pop_first();
        }
        let known = Known {
            address,
            is_doubtful: false,
        };
        self.known.insert(peer, known);
    }

    /// The registry does not name a peer any more.
    pub fn forget(&mut self, peer: &ActrId) {
        self.known.remove(peer);
    }

    /// A peer could not be reached: the next time the registry is asked, if it answers.
    pub fn doubt(&mut self, peer: &ActrId) {
        if let Some(known) = self.known.get_mut(peer) {
            known.is_doubtful = true;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(serial: u64) -> ActrId {
        ActrId::new(1, serial, "acme+Peer".parse().unwrap())
    }

    #[test]
    fn the_registry_is_asked_where_it_may_know_better() {
        let mut addresses = Addresses::default();
        assert_eq!(addresses.look_up(&peer(1), false), LookUp::Unknown);
        addresses.learn(peer(1), "here");
        assert_eq!(addresses.look_up(&peer(1), false), LookUp::Known("here"));
        addresses.doubt(&peer(1));
        assert_eq!(addresses.look_up(&peer(1), false), LookUp::Doubtful("here"));
        assert_eq!(addresses.look_up(&peer(1), true), LookUp::Known("here"), "it is away");
        addresses.learn(peer(1), "there");
        assert_eq!(addresses.look_up(&peer(1), false), LookUp::Known("there"));
        addresses.forget(&peer(1));
        assert_eq!(addresses.look_up(&peer(1), true), LookUp::Unknown);
        addresses.doubt(&peer(1));
        assert_eq!(addresses.look_up(&peer(1), true), LookUp::Unknown, "nothing to doubt");
    }

    #[test]
    fn the_addresses_that_are_remembered_are_bounded() {
        let mut addresses = Addresses::default();
        for serial in 0..=MAX_ADDRESSES as u64 {
            addresses.learn(peer(serial), serial);
        }
        assert_eq!(addresses.known.len(), MAX_ADDRESSES);
        let last = MAX_ADDRESSES as u64;
        assert_eq!(addresses.look_up(&peer(last), false), LookUp::Known(last));
        addresses.learn(peer(last), 0);
        assert_eq!(
            addresses.known.len(),
            MAX_ADDRESSES,
            "a known one takes no other's place"
        );
    }
}
