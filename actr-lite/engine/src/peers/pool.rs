//! The connections that are open, and which of them a call takes.

use std::collections::BTreeMap;

use actr_lite_wire::identity::ActrId;

/// The open connections, by peer.
///
/// A peer may have several: two nodes that dial each other at once keep both. The latest is the one that new calls take,
/// and the other closes when nobody uses it any more.
#[derive(Debug)]
pub struct Pool<Connection> {
    /// The latest of a peer's comes last.
    by_peer: BTreeMap<ActrId, Vec<Pooled<Connection>>>,
    next: u64,
}

#[derive(Debug)]
struct Pooled<Connection> {
    place: u64,
    connection: Connection,
    sharing: Sharing,
}

/// Who may use a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sharing {
    /// Every call to the peer.
    Shared,
    /// Whoever has its handle.
    Own,
}

/// A connection's place in the pool, to be given back when the connection has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    peer: ActrId,
    number: u64,
}

impl<Connection> Default for Pool<Connection> {
    fn default() -> Self {
        Self {
            by_peer: BTreeMap::new(),
            next: 0,
        }
    }
}

impl<Connection> Pool<Connection> {
    /// A connection to this peer is open from now on.
    pub fn enter(&mut self, peer: ActrId, connection: Connection, sharing: Sharing) -> Place {
        let number = self.next;
        self.next += 1;
        let of_peer = self.by_peer.entry(peer.clone()).or_default();
        of_peer.push(Pooled {
            place: number,
            connection,
            sharing,
        });
        Place { peer, number }
    }

    /// The connection of this place has ended.
    pub fn leave(&mut self, place: &Place) -> Option<Connection> {
        let of_peer = self.by_peer.get_mut(&place.peer)?;
        let at = of_peer.iter().position(|pooled| pooled.place == place.number)?;
        let left = of_peer.remove(at);
        if of_peer.is_empty() {
            self.by_peer.remove(&place.peer);
        }
        Some(left.connection)
    }

    /// What `begin` makes of the latest connection to this peer that everybody may use, and that it can begin to use.
    pub fn find<Use>(&self, peer: &ActrId, begin: impl FnMut(&Connection) -> Option<Use>) -> Option<Use> {
        let latest_first = self.by_peer.get(peer)?.iter().rev();
        let shared = latest_first.filter(|pooled| pooled.sharing == Sharing::Shared);
        shared.map(|pooled| &pooled.connection).find_map(begin)
    }

    /// All that are open, each with a number from 1 that no other one has or gets.
    pub fn numbered(&self) -> impl Iterator<Item = (u64, &Connection)> {
        let all = self.by_peer.values().flatten();
        all.map(|pooled| (pooled.place + 1, &pooled.connection))
    }

    /// All that are open.
    pub fn all(&self) -> impl Iterator<Item = &Connection> {
        self.by_peer.values().flatten().map(|pooled| &pooled.connection)
    }
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;

    fn peer(serial: u64) -> ActrId {
        ActrId::new(1, serial, "acme+Peer".parse().unwrap())
    }

    #[test]
    fn a_call_takes_the_latest_connection_that_takes_calls() {
        let mut pool = Pool::default();
        let places = [1, 2, 3].map(|connection| pool.enter(peer(1), connection, Sharing::Shared));
        assert_eq!(pool.find(&peer(1), |connection| Some(*connection)), Some(3));
        let is_open = |connection: &u32| (*connection < 3).then_some(*connection);
        assert_eq!(pool.find(&peer(1), is_open), Some(2), "the latest is being closed");
        pool.leave(&places[1]);
        assert_eq!(pool.find(&peer(1), is_open), Some(1));
        assert_eq!(pool.find(&peer(2), is_open), None);
    }

    #[test]
    fn a_connection_of_ones_own_is_nobody_elses() {
        let mut pool = Pool::default();
        pool.enter(peer(1), 1, Sharing::Own);
        assert_eq!(pool.find(&peer(1), |connection| Some(*connection)), None);
        assert_eq!(pool.all().count(), 1, "and it is closed when the node stops");
    }

    proptest! {
        #[test]
        fn it_finds_what_a_plain_list_finds(steps in vec((0u64..3, 0usize..4, any::<bool>()), 0..60)) {
            let mut pool = Pool::default();
            let mut open: Vec<(Place, u64, usize, Sharing)> = Vec::new();
            for (number, (serial, choice, own)) in steps.into_iter().enumerate() {
                let sharing = if own { Sharing::Own } else { Sharing::Shared };
                match open.get(choice).map(|(place, ..)| place.clone()) {
                    Some(place) => {
                        pool.leave(&place);
                        open.remove(choice);
                    }
                    None => open.push((pool.enter(peer(serial), number, sharing), serial, number, sharing)),
                }
                for serial in 0..3 {
                    let shared = open.iter().rfind(|(_, of, _, sharing)| *of == serial && *sharing == Sharing::Shared);
                    let found = pool.find(&peer(serial), |connection| Some(*connection));
                    prop_assert_eq!(found, shared.map(|(_, _, number, _)| *number));
                }
                prop_assert_eq!(pool.all().count(), open.len());
            }
            for (place, ..) in open {
                pool.leave(&place);
            }
            prop_assert!(pool.by_peer.is_empty());
        }
    }
}
