//! Every order of what is brought, wakes from elsewhere, and polls.

use std::{
    future::poll_fn,
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    task::Poll,
};

use loom::{future::block_on, thread};

use std::{sync::Arc, task::Waker};

use futures_util::future::BoxFuture;

use crate::sync::{in_place::*, primitives::*};

/// What the future waits for: something brought, and something from elsewhere, each counted.
#[derive(Default)]
struct Source {
    state: Mutex<Counts>,
}

#[derive(Default)]
struct Counts {
    brought: usize,
    taken: usize,
    elsewhere: usize,
    is_over: bool,
    /// Who waits for what is brought; the other is for what comes from elsewhere.
    reader: Option<Waker>,
    other: Option<Waker>,
}

impl Source {
    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.state.lock().unwrap()
    }

    /// As the inbox does: the reader is woken when the lock is free.
    fn bring(&self) {
        let mut counts = self.counts();
        counts.brought += 1;
        let reader = counts.reader.take();
        drop(counts);
        reader.into_iter().for_each(Waker::wake);
    }

    fn wake_from_elsewhere(&self) {
        let mut counts = self.counts();
        counts.elsewhere += 1;
        let other = counts.other.take();
        drop(counts);
        other.into_iter().for_each(Waker::wake);
    }

    fn waits_for_more(&self) -> bool {
        self.counts().reader.is_some()
    }
}

/// Keeps the future that was spawned, and counts.
#[derive(Default)]
struct Spawned {
    future: std::sync::Mutex<Option<BoxFuture<'static, ()>>>,
    count: AtomicUsize,
}

struct Keep(Arc<Spawned>);

impl Spawn for Keep {
    fn spawn(&self, future: BoxFuture<'static, ()>) {
        self.0.count.fetch_add(1, Ordering::SeqCst);
        *self.0.future.lock().unwrap() = Some(future);
    }
}

/// A future that takes `total` things that are brought, and waits for as many from elsewhere; two threads that poll it at
/// once, or a poll after its end, are failures.
fn takes(source: &Arc<Source>, total: usize, from_elsewhere: usize) -> BoxFuture<'static, ()> {
    let source = Arc::clone(source);
    let polled = AtomicBool::new(false);
    Box::pin(poll_fn(move |cx| {
        assert!(!polled.swap(true, Ordering::SeqCst), "two threads poll it");
        let mut counts = source.counts();
        assert!(!counts.is_over, "it is polled after its end");
        counts.taken = counts.brought;
        counts.is_over = counts.taken == total && counts.elsewhere == from_elsewhere;
        let result = if counts.is_over { Poll::Ready(()) } else { Poll::Pending };
        // Dropping a waker may be the end of it all.
        let reader = counts.reader.replace(cx.waker().clone());
        let other = counts.other.replace(cx.waker().clone());
        drop(counts);
        drop((reader, other));
        polled.store(false, Ordering::SeqCst);
        result
    }))
}

fn start(source: &Arc<Source>, total: usize, from_elsewhere: usize) -> (Arc<InPlace<Keep>>, Arc<Spawned>) {
    let spawned = Arc::new(Spawned::default());
    let future = takes(source, total, from_elsewhere);
    let in_place = InPlace::start(Keep(Arc::clone(&spawned)), future, || true);
    (in_place, spawned)
}

/// As a connection hands over what it has read.
fn deliver(in_place: &Arc<InPlace<Keep>>, source: &Source) {
    let turn = in_place.begin();
    source.bring();
    if let Some(turn) = turn {
        turn.run(|| source.waits_for_more());
    }
}

/// Runs the task, if it became one, to its end: a lost wake-up is a deadlock that loom finds.
fn finish(source: &Source, spawned: &Spawned) {
    let future = spawned.future.lock().unwrap().take();
    if let Some(future) = future {
        block_on(future);
    }
    assert!(source.counts().is_over, "it was not polled after a wake");
    assert!(spawned.count.load(Ordering::SeqCst) <= 1, "it was spawned twice");
    // Wakers of a future that is over are not to keep it alive.
    let (reader, other) = {
        let mut counts = source.counts();
        (counts.reader.take(), counts.other.take())
    };
    drop((reader, other));
}

#[test]
fn the_future_stays_in_place_while_one_task_brings() {
    loom::model(|| {
        let source = Arc::new(Source::default());
        let (in_place, spawned) = start(&source, 2, 0);
        deliver(&in_place, &source);
        deliver(&in_place, &source);
        assert_eq!(spawned.count.load(Ordering::SeqCst), 0);
        finish(&source, &spawned);
    });
}

#[test]
fn a_wake_from_elsewhere_polls_or_spawns_it_in_any_order() {
    loom::model(|| {
        let source = Arc::new(Source::default());
        let (in_place, spawned) = start(&source, 1, 1);
        let elsewhere = {
            let source = Arc::clone(&source);
            thread::spawn(move || source.wake_from_elsewhere())
        };
        deliver(&in_place, &source);
        elsewhere.join().unwrap();
        finish(&source, &spawned);
    });
}

#[test]
fn two_threads_that_bring_never_poll_it_at_once() {
    loom::model(|| {
        let source = Arc::new(Source::default());
        let (in_place, spawned) = start(&source, 2, 0);
        let other = {
            let (in_place, source) = (Arc::clone(&in_place), Arc::clone(&source));
            thread::spawn(move || deliver(&in_place, &source))
        };
        deliver(&in_place, &source);
        other.join().unwrap();
        finish(&source, &spawned);
    });
}

#[test]
fn one_who_comes_while_it_is_polled_keeps_its_wake() {
    loom::model(|| {
        let source = Arc::new(Source::default());
        let (in_place, spawned) = start(&source, 1, 1);
        let elsewhere = {
            let (in_place, source) = (Arc::clone(&in_place), Arc::clone(&source));
            thread::spawn(move || {
                source.wake_from_elsewhere();
                drop(in_place.begin());
            })
        };
        deliver(&in_place, &source);
        elsewhere.join().unwrap();
        finish(&source, &spawned);
    });
}

#[test]
fn a_wake_during_the_first_poll_is_not_lost() {
    loom::model(|| {
        let source = Arc::new(Source::default());
        let elsewhere = {
            let source = Arc::clone(&source);
            thread::spawn(move || source.wake_from_elsewhere())
        };
        let (_in_place, spawned) = start(&source, 0, 1);
        elsewhere.join().unwrap();
        finish(&source, &spawned);
    });
}

#[test]
fn a_turn_that_is_dropped_makes_it_a_task() {
    loom::model(|| {
        let source = Arc::new(Source::default());
        let (in_place, spawned) = start(&source, 1, 0);
        let elsewhere = {
            let source = Arc::clone(&source);
            thread::spawn(move || source.bring())
        };
        drop(in_place.begin());
        elsewhere.join().unwrap();
        finish(&source, &spawned);
        assert!(in_place.begin().is_none(), "for good");
    });
}

#[test]
fn a_future_that_may_not_stay_becomes_a_task() {
    loom::model(|| {
        let source = Arc::new(Source::default());
        let spawned = Arc::new(Spawned::default());
        let in_place = InPlace::start(Keep(Arc::clone(&spawned)), takes(&source, 1, 0), || false);
        assert_eq!(spawned.count.load(Ordering::SeqCst), 1);
        assert!(in_place.begin().is_none());
        source.bring();
        finish(&source, &spawned);
    });
}
