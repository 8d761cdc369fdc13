use std::{
    collections::{HashMap, VecDeque},
    hash::Hash,
};

/// Places for connections whose peers have not said yet who they are.
///
/// One more is never refused: if there is no place, the oldest one from the address that has most of them is ended. So who
/// connects and says nothing is in his own way. `Connection` is what is told that it has to go.
#[derive(Debug)]
pub struct Places<Address, Connection> {
    most: usize,
    next: u64,
    /// The oldest first.
    places: VecDeque<(u64, Address, Connection)>,
}

impl<Address: Hash + Eq + Copy, Connection> Places<Address, Connection> {
    /// At most so many at a time.
    pub fn new(most: usize) -> Self {
        Self {
            most,
            next: 0,
            places: VecDeque::new(),
        }
    }

    /// A place for a connection from this address, and the connection that has to go for it.
    pub fn enter(&mut self, address: Address, connection: Connection) -> (u64, Option<Connection>) {
        let evicted = (self.places.len() >= self.most).then(|| self.evict()).flatten();
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

    const MOST: usize = 16;

    #[test]
    fn a_flood_of_connections_is_in_its_own_way() {
        let mut places = Places::new(MOST);
        let (honest, _) = places.enter(1, 0);
        let flood: Vec<_> = (1..3 * MOST).map(|connection| places.enter(2, connection)).collect();
        let evicted: Vec<_> = flood.iter().filter_map(|(_, evicted)| *evicted).collect();
        assert!(evicted.iter().copied().eq(1..=2 * MOST), "the oldest of it first");
        assert_eq!(places.places.len(), MOST);
        for (number, _) in flood {
            places.leave(number);
        }
        assert_eq!(places.places.len(), 1);
        places.leave(honest);
        assert!(places.places.is_empty());
    }
}
