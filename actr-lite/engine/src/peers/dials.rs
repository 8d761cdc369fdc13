//! The connections that are being made, and who waits for them.

use std::collections::{BTreeMap, BTreeSet};

use actr_lite_wire::identity::ActrId;

/// The connections that are being made, one for each peer, for all who wait for it.
///
/// The first of them dials. If it is dropped before that has come to an end, the next one dials anew. `Progress` is what a
/// dial shows meanwhile, `Outcome` what all of them learn, good or bad.
#[derive(Debug)]
pub struct Dials<Progress, Outcome> {
    /// Which dial those join who come now.
    to: BTreeMap<ActrId, u64>,
    dials: BTreeMap<u64, Dial<Progress, Outcome>>,
    next: u64,
}

#[derive(Debug)]
struct Dial<Progress, Outcome> {
    peer: ActrId,
    progress: Progress,
    /// In the order in which they came.
    waiting: BTreeSet<u64>,
    outcome: Option<Outcome>,
}

/// One who waits for a connection, until it says that it does no more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Waiter {
    dial: u64,
    number: u64,
}

/// What one who waits is to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn<Outcome> {
    /// To dial.
    Dial,
    /// To ask again when another one has dialled, or has left.
    Wait,
    /// To do as the outcome says.
    Over(Outcome),
}

impl<Progress, Outcome> Default for Dials<Progress, Outcome> {
    fn default() -> Self {
        Self {
            to: BTreeMap::new(),
            dials: BTreeMap::new(),
            next: 0,
        }
    }
}

impl<Progress: Default, Outcome: Clone> Dials<Progress, Outcome> {
    /// Waits with those who wait for a connection to this peer, or as the first.
    pub fn join(&mut self, peer: &ActrId) -> Waiter {
        let number = self.next;
        self.next += 1;
        let dial = *self.to.entry(peer.clone()).or_insert(number);
        let shared = self.dials.entry(dial).or_insert_with(|| Dial {
            peer: peer.clone(),
            progress: Progress::default(),
            waiting: BTreeSet::new(),
            outcome: None,
        });
        shared.waiting.insert(number);
        Waiter { dial, number }
    }

    /// What this one is to do now.
    pub fn turn(&self, waiter: Waiter) -> Turn<Outcome> {
        match self.dials.get(&waiter.dial) {
            Some(Dial {
                outcome: Some(outcome), ..
            }) => Turn::Over(outcome.clone()),
            Some(dial) if dial.waiting.first() == Some(&waiter.number) => Turn::Dial,
            _ => Turn::Wait,
        }
    }

    /// The one whose turn it was has dialled: the others are to ask again. Whoever comes from now on finds the connection,
    /// or makes another try.
    pub fn conclude(&mut self, waiter: Waiter, outcome: Outcome) {
        if let Some(dial) = self.dials.get_mut(&waiter.dial) {
            dial.outcome = Some(outcome);
            self.to.remove(&dial.peer);
        }
    }

    /// This one waits no more. Whether others are to ask again, as it was its turn to dial.
    pub fn leave(&mut self, waiter: Waiter) -> bool {
        let Some(dial) = self.dials.get_mut(&waiter.dial) else {
            return false;
        };
        let was_its_turn = dial.outcome.is_none() && dial.waiting.first() == Some(&waiter.number);
        dial.waiting.remove(&waiter.number);
        if !dial.waiting.is_empty() {
            return was_its_turn;
        }
        if dial.outcome.is_none() {
            self.to.remove(&dial.peer);
        }
        self.dials.remove(&waiter.dial);
        false
    }

    /// How far the connection is that this one waits for.
    pub fn progress(&self, waiter: Waiter) -> Option<&Progress> {
        self.dials.get(&waiter.dial).map(|dial| &dial.progress)
    }

    /// How far the connection to this peer is, if one is being made.
    pub fn progress_to(&self, peer: &ActrId) -> Option<&Progress> {
        let dial = self.to.get(peer)?;
        self.dials.get(dial).map(|dial| &dial.progress)
    }

    /// The peers to which connections are being made, and how far those are.
    pub fn all(&self) -> impl Iterator<Item = (&ActrId, &Progress)> {
        let dials = self.to.values().filter_map(|number| self.dials.get(number));
        dials.map(|dial| (&dial.peer, &dial.progress))
    }

    /// Whether nobody waits for anything.
    pub fn is_empty(&self) -> bool {
        self.dials.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;

    type Plain = Dials<(), u32>;

    fn peer(serial: u64) -> ActrId {
        ActrId::new(1, serial, "acme+Peer".parse().unwrap())
    }

    #[test]
    fn all_who_wait_share_one_dial_and_its_outcome() {
        let mut dials = Plain::default();
        let (first, second) = (dials.join(&peer(1)), dials.join(&peer(1)));
        let other = dials.join(&peer(2));
        assert_eq!(dials.turn(first), Turn::Dial);
        assert_eq!(dials.turn(second), Turn::Wait);
        assert_eq!(dials.turn(other), Turn::Dial, "another peer");
        dials.conclude(first, 7);
        assert!(!dials.leave(first), "nobody is to dial now");
        assert_eq!(dials.turn(second), Turn::Over(7));
        let later = dials.join(&peer(1));
        assert_eq!(dials.turn(later), Turn::Dial, "whoever comes later makes another try");
        assert!(dials.progress_to(&peer(1)).is_some() && dials.all().count() == 2);
        for waiter in [second, later, other] {
            dials.leave(waiter);
        }
        assert!(dials.is_empty() && dials.to.is_empty());
    }

    #[test]
    fn the_next_one_dials_if_the_first_is_dropped() {
        let mut dials = Plain::default();
        let [first, second, third] = [(); 3].map(|()| dials.join(&peer(1)));
        assert!(!dials.leave(second), "it was not its turn");
        assert!(dials.leave(first));
        assert_eq!(dials.turn(third), Turn::Dial);
        assert!(!dials.leave(third) && dials.is_empty());
    }

    proptest! {
        #[test]
        fn one_of_those_who_wait_dials_and_nothing_is_left(steps in vec((0u64..2, 0u8..4, 0usize..6), 0..80)) {
            let mut dials = Plain::default();
            let mut waiting: Vec<Waiter> = Vec::new();
            for (serial, step, choice) in steps {
                match waiting.get(choice).copied() {
                    Some(waiter) if step == 0 => {
                        dials.leave(waiter);
                        waiting.remove(choice);
                    }
                    Some(waiter) if step == 1 && dials.turn(waiter) == Turn::Dial => dials.conclude(waiter, 1),
                    _ => waiting.push(dials.join(&peer(serial))),
                }
                for dial in waiting.iter().map(|waiter| waiter.dial) {
                    let of_it = waiting.iter().filter(|waiter| waiter.dial == dial);
                    let turns: Vec<_> = of_it.map(|waiter| dials.turn(*waiter)).collect();
                    let to_dial = turns.iter().filter(|turn| **turn == Turn::Dial).count();
                    let over = turns.iter().filter(|turn| **turn == Turn::Over(1)).count();
                    prop_assert!(to_dial == 1 && over == 0 || to_dial == 0 && over == turns.len(), "{turns:?}");
                }
                let open: BTreeSet<_> = waiting.iter().filter(|waiter| dials.turn(**waiter) != Turn::Over(1)).map(|waiter| waiter.dial).collect();
                prop_assert_eq!(dials.all().count(), open.len(), "one for each peer");
            }
            for waiter in waiting {
                dials.leave(waiter);
            }
            prop_assert!(dials.is_empty() && dials.to.is_empty());
        }
    }
}
