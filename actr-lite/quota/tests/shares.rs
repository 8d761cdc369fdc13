//! What a tree of quotas gives out, against a naive model that adds everything up anew each time.

use std::{sync::Arc, thread};

use actr_lite_quota::{Limit, Modesty, Permit, Quota};
use proptest::{collection::vec, prelude::*};

const fn limit(key: &'static str, value: usize) -> Limit {
    Limit::new("things", key, value)
}

#[test]
fn what_is_taken_comes_back_when_the_permit_is_dropped() {
    let quota = Quota::whole(limit("a.key", 2));
    let first = quota.take(1).unwrap();
    let _second = quota.take(1).unwrap();
    let full = quota.take(1).unwrap_err();
    assert_eq!((full.key(), full.value()), ("a.key", 2));
    assert_eq!(
        full.to_string(),
        "2 things at once already, which is its limit; try again when some have ended, or raise a.key in its Actr.toml"
    );
    assert!(quota.take(0).is_ok(), "nothing always fits");
    drop(first);
    assert!(quota.take(1).is_ok());
    assert!(quota.take(usize::MAX).is_err(), "a sum that overflows is too much");
    assert_eq!(quota.used(), 1);
}

#[test]
fn a_refusal_names_the_level_that_is_full_and_takes_nothing() {
    let whole = Quota::whole(limit("whole", 10));
    let realm = whole.part(limit("realm", 7));
    let (peer, other) = (realm.part(limit("peer", 5)), realm.part(limit("peer", 5)));
    assert_eq!(peer.take(6).unwrap_err().key(), "peer");
    let _held = peer.take(5).unwrap();
    assert_eq!(other.take(3).unwrap_err().key(), "realm");
    assert_eq!((other.used(), realm.used(), whole.used()), (0, 5, 5));
    let _rest = whole.take(5).unwrap();
    assert_eq!(other.take(1).unwrap_err().key(), "whole");
    assert_eq!((other.used(), realm.used(), whole.used()), (0, 5, 10));
}

#[test]
fn a_permit_grows_and_shrinks_with_what_it_stands_for() {
    let whole = Quota::whole(limit("whole", 10));
    let mut permit = whole.part(limit("part", 8)).take(3).unwrap();
    permit.resize(8).unwrap();
    assert_eq!(permit.resize(9).unwrap_err().key(), "part");
    assert_eq!((permit.amount(), whole.used()), (8, 8));
    permit.shrink(20);
    assert_eq!(permit.amount(), 8, "shrinking never takes more");
    permit.shrink(2);
    assert_eq!(whole.used(), 2);
    permit.resize(0).unwrap();
    assert_eq!(whole.used(), 0);
}

#[test]
fn greedy_modest_parts_leave_something_for_the_next() {
    let whole = Quota::whole(limit("whole", 256 << 20));
    let modesty = Modesty { divisor: 4, floor: 0 };
    let part = || whole.modest_part(limit("part", 16 << 20), modesty);
    let greedy: Vec<_> = (0..16)
        .map(|_| {
            let part = part();
            std::iter::from_fn(|| part.take(64 << 10).ok()).collect::<Vec<_>>()
        })
        .collect();
    assert!(greedy[0].len() == 256, "one that is alone gets all of its share");
    assert_eq!(part().take(8 << 20).unwrap_err().key(), "whole");
    assert!(
        part().take(4 << 20).is_ok(),
        "and a later one a smaller part of what is left"
    );
}

#[test]
fn a_modest_part_gets_its_floor_as_long_as_there_is_so_much() {
    let whole = Quota::whole(limit("whole", 10));
    let part = || whole.modest_part(limit("part", 9), Modesty { divisor: 4, floor: 3 });
    let _first = part().take(3).unwrap();
    assert_eq!(part().take(4).unwrap_err().key(), "whole");
    let _second = part().take(3).unwrap();
    let _third = part().take(3).unwrap();
    assert!(part().take(2).is_err());
    let _last = part().take(1).unwrap();
}

#[test]
fn threads_that_take_at_once_never_exceed_a_limit() {
    let whole = Quota::whole(limit("whole", 50));
    let realm = whole.part(limit("realm", 40));
    thread::scope(|scope| {
        for number in 0..4 {
            let peer = realm.part(limit("peer", 15));
            let (whole, realm) = (Arc::clone(&whole), Arc::clone(&realm));
            scope.spawn(move || {
                let mut held = Vec::new();
                for step in 0..5_000 {
                    if let Ok(permit) = peer.take(1 + (step + number) % 7) {
                        held.push(permit);
                    }
                    assert!(peer.used() <= 15 && realm.used() <= 40 && whole.used() <= 50);
                    if step % 3 == 0 {
                        held.clear();
                    }
                }
            });
        }
    });
    assert_eq!((realm.used(), whole.used()), (0, 0));
}

const REALMS: [usize; 2] = [60, 40];
const PEER: usize = 30;
const WHOLE: usize = 90;

#[derive(Debug, Clone)]
enum Step {
    Take { peer: usize, amount: usize },
    Resize { at: usize, amount: usize },
    Drop { at: usize },
}

fn any_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => (0..6usize, 0..20usize).prop_map(|(peer, amount)| Step::Take { peer, amount }),
        2 => (any::<usize>(), 0..40usize).prop_map(|(at, amount)| Step::Resize { at, amount }),
        1 => any::<usize>().prop_map(|at| Step::Drop { at }),
    ]
}

/// Six peers, the first three in the first realm; what each permit stands for.
#[derive(Default)]
struct Model(Vec<(usize, usize)>);

impl Model {
    fn sum(&self, counts: impl Fn(usize) -> bool) -> usize {
        self.0
            .iter()
            .filter(|(peer, _)| counts(*peer))
            .map(|(_, amount)| amount)
            .sum()
    }

    /// Whether this much more of a peer fits.
    fn fits(&self, peer: usize, more: usize) -> bool {
        let realm = peer / 3;
        more == 0
            || (self.sum(|other| other == peer) + more <= PEER
                && self.sum(|other| other / 3 == realm) + more <= REALMS[realm]
                && self.sum(|_| true) + more <= WHOLE)
    }
}

proptest! {
    #[test]
    fn what_is_given_out_is_what_a_naive_model_gives_out(steps in vec(any_step(), 0..200)) {
        let whole = Quota::whole(limit("whole", WHOLE));
        let realms = REALMS.map(|value| whole.part(limit("realm", value)));
        let peers: Vec<_> = (0..6).map(|peer| realms[peer / 3].part(limit("peer", PEER))).collect();
        let mut model = Model::default();
        let mut permits: Vec<Permit> = Vec::new();
        for step in steps {
            match step {
                Step::Take { peer, amount } => {
                    let taken = peers[peer].take(amount);
                    prop_assert_eq!(taken.is_ok(), model.fits(peer, amount));
                    if let Ok(permit) = taken {
                        permits.push(permit);
                        model.0.push((peer, amount));
                    }
                }
                Step::Resize { at, amount } if !permits.is_empty() => {
                    let at = at % permits.len();
                    let (peer, held) = model.0[at];
                    let fits = model.fits(peer, amount.saturating_sub(held));
                    prop_assert_eq!(permits[at].resize(amount).is_ok(), fits);
                    if fits {
                        model.0[at].1 = amount;
                    }
                }
                Step::Drop { at } if !permits.is_empty() => {
                    let at = at % permits.len();
                    permits.swap_remove(at);
                    model.0.swap_remove(at);
                }
                Step::Resize { .. } | Step::Drop { .. } => {}
            }
            prop_assert_eq!(whole.used(), model.sum(|_| true));
            for (peer, quota) in peers.iter().enumerate() {
                prop_assert_eq!(quota.used(), model.sum(|other| other == peer));
            }
        }
        drop(permits);
        prop_assert_eq!(whole.used(), 0);
    }
}
