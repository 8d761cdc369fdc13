//! The connections that are being made, and who waits for them.

use std::collections::BTreeMap;

use actr_lite_wire::identity::ActrId;

/// The connections that are being made, one for each peer, for all who wait for it.
///
/// A dial that nobody waits for any more is dropped, unless the peer was asked for the connection: it may have taken it
/// already, and may be using it. `Progress` is what a dial shows meanwhile, `Outcome` what all who wait learn, good or bad.
#[derive(Debug)]
pub struct Dials<Progress, Outcome> {
    /// Which dial those join who come now.
    to: BTreeMap<ActrId, DialId>,
    dials: BTreeMap<DialId, Dial<Progress, Outcome>>,
    next: DialId,
}

/// Which dial of a node.
pub type DialId = u64;

#[derive(Debug)]
struct Dial<Progress, Outcome> {
    peer: ActrId,
    progress: Progress,
    /// How many wait for it.
    waiting: usize,
    /// The peer was asked for the connection.
    has_asked: bool,
    outcome: Option<Outcome>,
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

impl<Progress: Default, Outcome> Dials<Progress, Outcome> {
    /// One more waits for a connection to this peer: which dial that is, and whether it is to begin now.
    pub fn join(&mut self, peer: &ActrId) -> (DialId, bool) {
        let id = *self.to.entry(peer.clone()).or_insert(self.next);
        let is_new = id == self.next;
        self.next += DialId::from(is_new);
        let dial = self.dials.entry(id).or_insert_with(|| Dial {
            peer: peer.clone(),
            progress: Progress::default(),
            waiting: 0,
            has_asked: false,
            outcome: None,
        });
        dial.waiting += 1;
        (id, is_new)
    }

    /// What has come of a dial, once something has.
    pub fn outcome(&self, id: DialId) -> Option<&Outcome> {
        self.dials.get(&id)?.outcome.as_ref()
    }

    /// Whether the peer may be asked for the connection now: somebody waits for it. Then the dial goes on to its end.
    pub fn may_ask(&mut self, id: DialId) -> bool {
        let dial = self.dials.get_mut(&id);
        dial.is_some_and(|dial| {
            dial.has_asked = true;
            true
        })
    }

    /// Whether nobody wants to know any more what comes of a dial.
    pub fn is_dropped(&self, id: DialId) -> bool {
        !self.dials.contains_key(&id)
    }

    /// A dial has come to its end. Whoever comes from now on finds the connection, or makes another try. What nobody waits
    /// for comes back.
    pub fn conclude(&mut self, id: DialId, outcome: Outcome) -> Option<Outcome> {
        match self.dials.get_mut(&id) {
            Some(dial) if dial.outcome.is_none() => {
                dial.outcome = Some(outcome);
                self.to.remove(&dial.peer);
                self.forget(id)
            }
            _ => Some(outcome),
        }
    }

    /// One who has waited for it does so no more. What nobody else waits for comes back.
    pub fn leave(&mut self, id: DialId) -> Option<Outcome> {
        self.dials.get_mut(&id)?.waiting -= 1;
        self.forget(id)
    }

    /// Forgets a dial that nobody waits for, once it is over or before the peer was asked.
    fn forget(&mut self, id: DialId) -> Option<Outcome> {
        let dial = self.dials.get(&id)?;
        if dial.waiting > 0 || (dial.outcome.is_none() && dial.has_asked) {
            return None;
        }
        let dial = self.dials.remove(&id)?;
        if self.to.get(&dial.peer) == Some(&id) {
            self.to.remove(&dial.peer);
        }
        dial.outcome
    }

    /// How far a dial is.
    pub fn progress(&self, id: DialId) -> Option<&Progress> {
        self.dials.get(&id).map(|dial| &dial.progress)
    }

    /// The peers to which connections are being made, and how far those are.
    pub fn all(&self) -> impl Iterator<Item = (&ActrId, &Progress)> {
        let dials = self.to.values().filter_map(|number| self.dials.get(number));
        dials.map(|dial| (&dial.peer, &dial.progress))
    }

    /// How far the connection to this peer is, if one is being made.
    pub fn progress_to(&self, peer: &ActrId) -> Option<&Progress> {
        self.progress(*self.to.get(peer)?)
    }

    /// Whether nothing is dialled, and nobody waits.
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
        let (first, is_new) = dials.join(&peer(1));
        assert!(is_new);
        assert_eq!(dials.join(&peer(1)), (first, false));
        let (other, is_new) = dials.join(&peer(2));
        assert!(is_new, "another peer");
        assert_eq!(dials.outcome(first), None);
        dials.conclude(first, 7);
        dials.leave(first);
        assert_eq!(dials.outcome(first), Some(&7), "for the other one too");
        let (later, is_new) = dials.join(&peer(1));
        assert!(is_new && later != first, "whoever comes later makes another try");
        assert!(dials.progress_to(&peer(1)).is_some() && dials.all().count() == 2);
        dials.leave(first);
        for id in [later, other] {
            dials.conclude(id, 0);
            dials.leave(id);
        }
        assert!(dials.is_empty() && dials.to.is_empty());
    }

    #[test]
    fn an_unwanted_dial_goes_on_once_the_peer_is_asked() {
        let mut dials = Plain::default();
        let (id, _) = dials.join(&peer(1));
        assert!(!dials.is_dropped(id) && dials.may_ask(id));
        dials.leave(id);
        assert_eq!(dials.join(&peer(1)), (id, false), "whoever comes now waits for it");
        dials.leave(id);
        assert!(!dials.is_dropped(id));
        assert_eq!(dials.conclude(id, 7), Some(7));
        assert_eq!(dials.conclude(id, 8), Some(8));
        assert!(dials.is_dropped(id) && dials.is_empty() && dials.to.is_empty());
    }

    #[test]
    fn an_unwanted_dial_is_dropped_before_the_peer_is_asked() {
        let mut dials = Plain::default();
        let (id, _) = dials.join(&peer(1));
        assert_eq!(dials.leave(id), None);
        assert!(dials.is_dropped(id) && !dials.may_ask(id) && dials.is_empty());
        let (next, is_new) = dials.join(&peer(1));
        assert!(is_new && next != id);
        dials.conclude(id, 1);
        assert_eq!(dials.outcome(next), None, "it is not the dropped one's");
    }

    proptest! {
        #[test]
        fn a_peer_is_dialled_once_at_a_time_and_nothing_is_left(steps in vec((0u64..2, 0u8..5, 0usize..6), 0..80)) {
            let mut dials = Plain::default();
            let mut waiting: Vec<DialId> = Vec::new();
            // Which dial, to whom, and whether the peer was asked.
            let mut running: Vec<(DialId, u64, bool)> = Vec::new();
            for (serial, step, choice) in steps {
                match (waiting.get(choice).copied(), running.get_mut(choice)) {
                    (Some(id), _) if step == 0 => {
                        dials.leave(id);
                        waiting.remove(choice);
                        running.retain(|(running, _, has_asked)| *running != id || *has_asked || waiting.contains(&id));
                    }
                    (_, Some((id, ..))) if step == 1 => {
                        dials.conclude(*id, 1);
                        running.remove(choice);
                    }
                    (_, Some((id, _, has_asked))) if step == 2 => {
                        prop_assert!(dials.may_ask(*id));
                        *has_asked = true;
                    }
                    _ => {
                        let (id, is_new) = dials.join(&peer(serial));
                        waiting.push(id);
                        prop_assert_eq!(is_new, running.iter().all(|(_, of, _)| *of != serial));
                        if is_new {
                            running.push((id, serial, false));
                        }
                    }
                }
                for id in &waiting {
                    let is_running = running.iter().any(|(running, ..)| running == id);
                    prop_assert_eq!(dials.outcome(*id).is_none(), is_running);
                }
                prop_assert_eq!(dials.all().count(), running.len());
            }
            for id in waiting {
                dials.leave(id);
            }
            for (id, ..) in running {
                dials.conclude(id, 1);
            }
            prop_assert!(dials.is_empty() && dials.to.is_empty());
        }
    }
}
