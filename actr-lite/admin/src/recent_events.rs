//! The last events, as plain data. Time is an argument.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use actr_lite_wire::rate_limit::{Rate, RateLimit};

use crate::event::{Event, Kind, Noted};

/// How many events of kinds that peers cause at will are kept, and how many of all others: together as many as the rows
/// of a page.
pub const KEPT: usize = 50;

/// How often an event of such a kind is noted: enough to see what goes on, and few enough that no flood keeps readers busy.
const FREQUENT: Rate = Rate {
    burst: 100,
    per_second: 10,
};

/// The last events. Those that peers cause at will push no other out.
#[derive(Debug)]
pub struct RecentEvents {
    latest: u64,
    frequent: VecDeque<Arc<Noted>>,
    others: VecDeque<Arc<Noted>>,
    limit: RateLimit<Kind>,
}

/// What a reader gets who knows the events up to a number.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Since {
    /// How many are not kept any more.
    pub missed: u64,
    /// The others, the oldest first.
    pub events: Vec<Arc<Noted>>,
}

impl Default for RecentEvents {
    fn default() -> Self {
        Self {
            latest: 0,
            frequent: VecDeque::with_capacity(KEPT),
            others: VecDeque::with_capacity(KEPT),
            limit: RateLimit::new(FREQUENT),
        }
    }
}

impl RecentEvents {
    /// Whether an event of this kind is to be noted at `now`, or there were too many.
    pub fn takes(&mut self, kind: Kind, now: Duration) -> bool {
        !kind.is_frequent() || self.limit.take(kind, now).is_ok()
    }

    /// Notes an event; its number.
    pub fn push(&mut self, event: Event, time: String) -> u64 {
        self.latest += 1;
        let kept = match event.kind.is_frequent() {
            true => &mut self.frequent,
            false => &mut self.others,
        };
        if kept.len() == KEPT {
            kept.pop_front();
        }
        let id = self.latest;
        kept.push_back(Arc::new(Noted { id, time, event }));
        id
    }

    /// The number of the last event; 0 before the first.
    pub fn latest(&self) -> u64 {
        self.latest
    }

    /// What came after the event of this number. A number that there was not yet, as of another life of the program, counts
    /// as none.
    pub fn since(&self, known: u64) -> Since {
        let known = if known > self.latest { 0 } else { known };
        let kept = self.frequent.iter().chain(&self.others);
        let mut events: Vec<_> = kept.filter(|noted| noted.id > known).cloned().collect();
        events.sort_unstable_by_key(|noted| noted.id);
        Since {
            missed: (self.latest - known).saturating_sub(events.len() as u64),
            events,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;
    use crate::event::Part;

    fn event(kind: Kind) -> Event {
        Event::new(Part::Registry, kind)
    }

    #[test]
    fn a_flood_of_refusals_pushes_nothing_else_out() {
        let mut recent = RecentEvents::default();
        recent.push(event(Kind::Registered), String::new());
        for _ in 0..1000 {
            recent.push(event(Kind::RequestRefused), String::new());
        }
        let since = recent.since(0);
        assert_eq!(since.events[0].event.kind, Kind::Registered);
        assert_eq!((since.events.len(), since.missed), (1 + KEPT, 1000 - KEPT as u64));
    }

    #[test]
    fn a_flood_is_noted_at_a_rate() {
        let mut recent = RecentEvents::default();
        let mut taken = |kind, now| (0..1000).filter(|_| recent.takes(kind, now)).count();
        assert_eq!(taken(Kind::RequestRefused, Duration::ZERO), 100);
        assert_eq!(taken(Kind::RequestRefused, Duration::from_secs(1)), 10);
        assert_eq!(
            taken(Kind::LimitReached, Duration::from_secs(1)),
            100,
            "each kind by itself"
        );
        assert_eq!(taken(Kind::Registered, Duration::ZERO), 1000);
    }

    #[test]
    fn who_knows_another_life_of_the_program_gets_all() {
        let mut recent = RecentEvents::default();
        recent.push(event(Kind::Registered), String::new());
        assert_eq!(recent.since(77), recent.since(0));
        assert_eq!(recent.since(1), Since::default());
    }

    proptest! {
        #[test]
        fn every_event_is_read_once_in_order_or_counted_as_missed(
            steps in vec((any::<bool>(), 0..40usize), 0..60),
        ) {
            let mut recent = RecentEvents::default();
            let (mut known, mut read, mut missed) = (0, 0, 0);
            for (is_frequent, count) in steps {
                for _ in 0..count {
                    let kind = if is_frequent { Kind::RequestRefused } else { Kind::Left };
                    recent.push(event(kind), String::new());
                }
                let since = recent.since(known);
                prop_assert!(since.events.is_sorted_by_key(|noted| noted.id));
                prop_assert!(since.events.iter().all(|noted| noted.id > known));
                read += since.events.len() as u64;
                missed += since.missed;
                known = recent.latest();
            }
            prop_assert_eq!(read + missed, recent.latest());
        }
    }
}
