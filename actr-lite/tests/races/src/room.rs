//! Every order of senders that wait for room, and of one that gives up.
//!
//! A sender that nobody tells is a deadlock, which loom finds.

use std::{
    future::{Future as _, poll_fn},
    pin::pin,
    sync::Arc,
    task::{Context, Poll, Waker},
};

use loom::{future::block_on, sync::Mutex, thread};

use crate::sync::room::*;

/// Each order with at most two interruptions: all orders of three threads take minutes.
fn model(check: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(2);
    builder.check(check);
}

/// A queue with places, and whether it has closed.
struct Queue {
    state: Mutex<(usize, bool)>,
    room: Room,
}

impl Queue {
    fn full() -> Arc<Self> {
        Arc::new(Self {
            state: Mutex::new((0, false)),
            room: Room::default(),
        })
    }

    fn try_send(&self) -> Option<Result<(), Closed>> {
        let mut state = self.state.lock().unwrap();
        match &mut *state {
            (_, true) => Some(Err(Closed)),
            (0, _) => None,
            (places, _) => {
                *places -= 1;
                Some(Ok(()))
            }
        }
    }

    /// As senders do.
    fn send(&self) -> Result<(), Closed> {
        block_on(async {
            let mut turn = self.room.turn();
            loop {
                match self.try_send() {
                    Some(result) => return result,
                    None => turn.wait().await,
                }
            }
        })
    }

    /// As the outbox does when it has written: however many places there are, it tells one.
    fn make_room(&self, places: usize) {
        self.state.lock().unwrap().0 += places;
        self.room.tell_one();
    }

    fn close(&self) {
        self.state.lock().unwrap().1 = true;
        self.room.tell_all();
    }
}

#[derive(Debug, PartialEq, Eq)]
struct Closed;

fn sender(queue: &Arc<Queue>) -> thread::JoinHandle<Result<(), Closed>> {
    let queue = Arc::clone(queue);
    thread::spawn(move || queue.send())
}

/// Waits once, and gives up whether it was told or not.
fn give_up(queue: &Queue) {
    let mut turn = queue.room.turn();
    if queue.try_send().is_none() {
        let mut wait = pin!(turn.wait());
        let _ = wait.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        // Here others may come in between.
        drop(queue.state.lock());
    } else {
        // It has what it wanted, and gives it back.
        queue.make_room(1);
    }
}

#[test]
fn a_sender_that_waits_is_told_of_room() {
    model(|| {
        let queue = Queue::full();
        let waits = sender(&queue);
        queue.make_room(1);
        assert_eq!(waits.join().unwrap(), Ok(()));
    });
}

#[test]
fn all_that_fit_are_told_by_one_another() {
    model(|| {
        let queue = Queue::full();
        let senders = [sender(&queue), sender(&queue)];
        queue.make_room(2);
        for sender in senders {
            assert_eq!(sender.join().unwrap(), Ok(()));
        }
    });
}

#[test]
fn one_that_gives_up_leaves_nobody_asleep() {
    model(|| {
        let queue = Queue::full();
        let waits = sender(&queue);
        let gives_up = {
            let queue = Arc::clone(&queue);
            thread::spawn(move || give_up(&queue))
        };
        queue.make_room(1);
        gives_up.join().unwrap();
        assert_eq!(waits.join().unwrap(), Ok(()));
    });
}

#[test]
fn everybody_learns_that_the_queue_has_closed() {
    model(|| {
        let queue = Queue::full();
        let senders = [sender(&queue), sender(&queue)];
        queue.close();
        for sender in senders {
            assert_eq!(sender.join().unwrap(), Err(Closed));
        }
    });
}

#[test]
fn a_sender_that_waited_tells_the_next_when_it_is_done() {
    model(|| {
        let queue = Queue::full();
        let mut told = queue.room.turn();
        let mut next = queue.room.turn();
        block_on(async {
            let (mut told_waits, mut next_waits) = (Box::pin(told.wait()), Box::pin(next.wait()));
            poll_fn(|cx| {
                assert!(told_waits.as_mut().poll(cx).is_pending() && next_waits.as_mut().poll(cx).is_pending());
                Poll::Ready(())
            })
            .await;
            queue.room.tell_one();
            told_waits.as_mut().await;
            drop(told_waits);
            drop(told);
            next_waits.await;
        });
    });
}
