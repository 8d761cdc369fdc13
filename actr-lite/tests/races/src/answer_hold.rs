//! Every order of an answer and the first turn of what its handler spawned.

use std::{
    future::{pending, ready},
    panic::AssertUnwindSafe,
    sync::atomic::{AtomicBool, AtomicUsize},
    task::{Context, Waker},
};

use loom::thread;

use std::sync::Arc;

use futures_util::{FutureExt as _, future::BoxFuture};

use crate::sync::{answer_hold::*, primitives::*};

/// Counts how often it leaves, and how often with the answer in it.
#[derive(Default)]
struct Batches {
    has_answer: AtomicBool,
    flushes: AtomicUsize,
    answers: AtomicUsize,
}

struct ToBatches(Arc<Batches>);

impl Batch for ToBatches {
    fn flush(&self) {
        self.0.flushes.fetch_add(1, Ordering::SeqCst);
        if self.0.has_answer.swap(false, Ordering::SeqCst) {
            self.0.answers.fetch_add(1, Ordering::SeqCst);
        }
    }
}

impl Batches {
    fn flushes(&self) -> usize {
        self.flushes.load(Ordering::SeqCst)
    }

    fn answers(&self) -> usize {
        self.answers.load(Ordering::SeqCst)
    }
}

type Hold = AnswerHold<ToBatches>;

fn hold() -> (Arc<Batches>, Arc<Hold>, FirstTurn<ToBatches>) {
    let batches = Arc::new(Batches::default());
    let (hold, first_turn) = AnswerHold::new(ToBatches(Arc::clone(&batches)));
    (batches, hold, first_turn)
}

fn poll_once(task: &mut BoxFuture<'static, ()>) {
    let _ = task.poll_unpin(&mut Context::from_waker(Waker::noop()));
}

/// As a call is answered: at once, or later if the task's first turn is still to come.
fn answer(batches: &Batches, hold: &Hold) {
    if hold.is_on() {
        batches.has_answer.store(true, Ordering::SeqCst);
    } else {
        batches.answers.fetch_add(1, Ordering::SeqCst);
    }
    hold.answer_is_queued();
}

#[test]
fn the_answer_leaves_exactly_once_in_any_order() {
    let endings: [fn(FirstTurn<ToBatches>); 3] = [
        |first_turn| poll_once(&mut first_turn.run(pending().boxed()).boxed()),
        |first_turn| poll_once(&mut first_turn.run(ready(()).boxed()).boxed()),
        drop,
    ];
    for run_or_drop in endings {
        loom::model(move || {
            let (batches, hold, first_turn) = hold();
            let task = thread::spawn(move || run_or_drop(first_turn));
            answer(&batches, &hold);
            task.join().unwrap();
            assert_eq!((batches.answers(), batches.flushes()), (1, 1));
        });
    }
}

#[test]
fn what_the_task_sends_first_leaves_with_a_held_answer() {
    loom::model(|| {
        let (batches, hold, first_turn) = hold();
        // Of loom's, and relaxed: the hold itself must make it visible.
        let sent = Arc::new(loom::sync::atomic::AtomicBool::new(false));
        let sends = Arc::clone(&sent);
        let task = async move { sends.store(true, Ordering::Relaxed) }.boxed();
        let task = thread::spawn(move || poll_once(&mut first_turn.run(task).boxed()));
        answer(&batches, &hold);
        if batches.flushes() == 1 {
            assert!(
                sent.load(Ordering::SeqCst),
                "the batch left before the first turn was over"
            );
        }
        task.join().unwrap();
        assert_eq!(batches.flushes(), 1);
    });
}

#[test]
fn the_batch_leaves_once_after_answer_and_first_turn() {
    loom::model(|| {
        let (batches, hold, first_turn) = hold();
        let mut task = first_turn.run(pending().boxed()).boxed();
        assert!(hold.is_on());
        hold.answer_is_queued();
        assert_eq!(batches.flushes(), 0, "the turn is still to come");
        poll_once(&mut task);
        assert_eq!(batches.flushes(), 1);
        drop(task);
        hold.answer_is_queued();
        assert_eq!(batches.flushes(), 1);
    });
}

#[test]
fn an_answer_does_not_wait_for_a_turn_that_has_begun() {
    loom::model(|| {
        let (batches, hold, first_turn) = hold();
        let of_task = Arc::clone(&hold);
        let task = async move {
            assert!(!of_task.is_on());
            of_task.answer_is_queued();
        };
        poll_once(&mut first_turn.run(task.boxed()).boxed());
        assert_eq!(batches.flushes(), 1);
    });
}

#[test]
fn a_turn_that_panics_is_over() {
    loom::model(|| {
        let (batches, hold, first_turn) = hold();
        hold.answer_is_queued();
        let task = first_turn.run(async { panic!("as it is told to") }.boxed());
        let mut task = async { drop(AssertUnwindSafe(task).catch_unwind().await) }.boxed();
        poll_once(&mut task);
        assert_eq!(batches.flushes(), 1);
    });
}
