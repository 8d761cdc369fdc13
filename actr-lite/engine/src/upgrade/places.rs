//! Which connections wait for their upgrade, and which of them has to go when there are too many.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;

/// How many connections may be on their way to an upgrade: a thousand of them would cost some 50 MiB with TLS, and one
/// that is honest takes a few round trips.
pub const MAX_UPGRADES: usize = 256;

/// The connections whose peers have not said yet who they are.
///
/// One more is never refused: if there is no place, the oldest one from the address that has most of them is ended. So who
/// connects and says nothing is in his own way. `Connection` is what is told that it has to go.
#[derive(Debug)]
pub struct UpgradePlaces<Address, Connection> {
    next: u64,
    /// The oldest first.
    places: VecDeque<(u64, Address, Connection)>,
}

impl<Address, Connection> Default for UpgradePlaces<Address, Connection> {
    fn default() -> Self {
        Self {
            next: 0,
            places: VecDeque::new(),
        }
    }
}

impl<Address: Hash + Eq + Copy, Connection> UpgradePlaces<Address, Connection> {
    /// A place for a connection from this address, and the connection that has to go for it.
    pub fn enter(&mut self, address: Address, connection: Connection) -> (u64, Option<Connection>) {
        let evicted = (self.places.len() >= MAX_UPGRADES).then(|| self.evict()).flatten();
        let number = self.next;
        self.next += 1;
        self.places.push_back((number, address, connection));
        (number, evicted)
    }

    /// Takes the oldest place of the address that has most of them.
    fn evict(&mut self) -> Option<Connection> {
        let mut counts = HashMap::new();
        for (_, address, _) in &self.places {
            *counts.entry(*address).or_insert(0) += 1;
        }
        let most = counts.values().copied().max()?;
        let mut places = self.places.iter();
        let at = places.position(|(_, address, _)| counts.get(address) == Some(&most))?;
        self.places.remove(at).map(|(.., connection)| connection)
    }

    /// A place is not needed any more, if it was not taken away.
    pub fn leave(&mut self, number: u64) {
        if let Ok(at) = self.places.binary_search_by_key(&number, |(number, ..)| *number) {
            self.places.remove(at);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_of_connections_is_in_its_own_way() {
        let mut places = UpgradePlaces::default();
        let (honest, _) = places.enter(1, 0);
        let flood: Vec<_> = (1..3 * MAX_UPGRADES)
            .map(|connection| places.enter(2, connection))
            .collect();
        let evicted: Vec<_> = flood.iter().filter_map(|(_, evicted)| *evicted).collect();
        assert!(
            evicted.iter().copied().eq(1..=2 * MAX_UPGRADES),
            "the oldest of it first"
        );
        assert_eq!(places.places.len(), MAX_UPGRADES);
        for (number, _) in flood {
            places.leave(number);
        }
        assert_eq!(places.places.len(), 1);
        places.leave(honest);
        assert!(places.places.is_empty());
    }
}
