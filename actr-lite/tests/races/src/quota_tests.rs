//! Every order in which threads can take and give back.

use loom::thread;

use std::sync::Arc;

use crate::{limit::Limit, quota::*};

const fn limit(value: usize) -> Limit {
    Limit::new("things", "a.key", value)
}

/// What is held at the moment; looking at it is no step of its own.
#[derive(Default)]
struct Held(std::sync::atomic::AtomicUsize);

impl Held {
    fn add(&self, amount: usize) -> usize {
        self.0.fetch_add(amount, std::sync::atomic::Ordering::Relaxed) + amount
    }

    fn give_back(&self, permit: Permit) {
        self.0.fetch_sub(permit.amount(), std::sync::atomic::Ordering::Relaxed);
        drop(permit);
    }
}

#[test]
fn parts_never_exceed_the_whole_and_return_to_zero() {
    loom::model(|| {
        let whole = Quota::whole(limit(3));
        let parts = [whole.part(limit(2)), whole.part(limit(2))];
        let held = Arc::new(Held::default());
        let threads = parts.clone().map(|part| {
            let (whole, held) = (Arc::clone(&whole), Arc::clone(&held));
            thread::spawn(move || {
                if let Ok(permit) = part.take(2) {
                    assert!(held.add(2) <= 3, "more is held than there is");
                    assert!(whole.used() <= 3 && part.used() <= 2);
                    held.give_back(permit);
                }
            })
        });
        for thread in threads {
            thread.join().unwrap();
        }
        assert_eq!((parts[0].used(), parts[1].used(), whole.used()), (0, 0, 0));
        assert!(parts[0].take(2).is_ok(), "and all of it can be taken again");
    });
}

#[test]
fn one_part_never_exceeds_its_limit() {
    loom::model(|| {
        let whole = Quota::whole(limit(9));
        let part = whole.part(limit(3));
        let held = Arc::new(Held::default());
        let threads = [1, 3].map(|amount| {
            let (part, held) = (Arc::clone(&part), Arc::clone(&held));
            thread::spawn(move || {
                if let Ok(permit) = part.take(amount) {
                    assert!(held.add(amount) <= 3);
                    held.give_back(permit);
                }
            })
        });
        for thread in threads {
            thread.join().unwrap();
        }
        assert_eq!((part.used(), whole.used()), (0, 0));
    });
}

#[test]
fn permits_that_grow_at_once_share_what_there_is() {
    loom::model(|| {
        let whole = Quota::whole(limit(3));
        let held = Arc::new(Held::default());
        let threads = [(); 2].map(|()| {
            let part = whole.part(limit(3));
            let held = Arc::clone(&held);
            thread::spawn(move || {
                let mut permit = part.take(1).unwrap();
                held.add(1);
                if permit.resize(2).is_ok() {
                    assert!(held.add(1) <= 3);
                }
                assert_eq!(part.used(), permit.amount());
                held.give_back(permit);
            })
        });
        for thread in threads {
            thread.join().unwrap();
        }
        assert_eq!(whole.used(), 0);
    });
}

#[test]
fn a_modest_part_that_is_refused_leaves_nothing_behind() {
    loom::model(|| {
        let whole = Quota::whole(limit(4));
        let modesty = Modesty { divisor: 2, floor: 0 };
        let parts = [
            whole.modest_part(limit(4), modesty),
            whole.modest_part(limit(4), modesty),
        ];
        let threads = parts.clone().map(|part| {
            thread::spawn(move || {
                if let Ok(permit) = part.take(2) {
                    assert_eq!(permit.amount(), 2);
                }
            })
        });
        for thread in threads {
            thread.join().unwrap();
        }
        assert_eq!((parts[0].used(), parts[1].used(), whole.used()), (0, 0, 0));
    });
}
