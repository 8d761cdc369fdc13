use std::{
    future::poll_fn,
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering},
    },
};

use futures_util::{FutureExt as _, future::BoxFuture};

use crate::lane::lane::Lane;

/// The task has its first turn, or had it.
const TURN_BEGUN: u8 = 1;

/// The task has had its first turn.
const TURN_OVER: u8 = 2;

/// The answer stands in the lane's batch.
const QUEUED: u8 = 4;

/// Keeps a call's answer for the first turn of a task that its handler has spawned: what that sends, the beginning of a
/// stream as a rule, then leaves in the same batch.
///
/// The answer waits only if that turn is still to come, and whichever is done last, the answer or the turn, lets the
/// batch leave.
pub(crate) struct AnswerHold {
    lane: Arc<dyn Lane>,
    done: AtomicU8,
}

impl AnswerHold {
    /// For a call that came over this lane, and the task.
    pub(crate) fn new(lane: &Arc<dyn Lane>) -> (Arc<Self>, FirstTurn) {
        let hold = Arc::new(Self {
            lane: Arc::clone(lane),
            done: AtomicU8::new(0),
        });
        (Arc::clone(&hold), FirstTurn(hold))
    }

    /// Whether the turn is still to come.
    pub(crate) fn is_on(&self) -> bool {
        self.done.load(Ordering::Acquire) & TURN_BEGUN == 0
    }

    /// The answer was queued, and may leave with what follows.
    pub(crate) fn answer_is_queued(&self) {
        self.note(QUEUED);
    }

    fn note(&self, what: u8) {
        let are_both_done = |done| done & (TURN_OVER | QUEUED) == TURN_OVER | QUEUED;
        let before = self.done.fetch_or(what, Ordering::AcqRel);
        if !are_both_done(before) && are_both_done(before | what) {
            self.lane.flush();
        }
    }
}

/// The first turn of the task. Dropped, it is over, whether there was one or not.
pub(crate) struct FirstTurn(Arc<AnswerHold>);

impl FirstTurn {
    /// Runs the task; this is dropped when it pauses for the first time.
    pub(crate) async fn run(self, mut task: BoxFuture<'static, ()>) {
        self.0.note(TURN_BEGUN);
        let mut first_turn = Some(self);
        poll_fn(|cx| {
            let result = task.poll_unpin(cx);
            drop(first_turn.take());
            result
        })
        .await;
    }
}

impl Drop for FirstTurn {
    fn drop(&mut self) {
        self.0.note(TURN_BEGUN | TURN_OVER);
    }
}

#[cfg(test)]
mod tests {
    use std::{
        future::{pending, ready},
        sync::atomic::AtomicUsize,
        task::{Context, Waker},
    };

    use actr_lite_engine::outbox::{Accepted, Urgency};
    use actr_lite_wire::{control::Control, record::RecordKind, send_queue::Precedence};
    use tokio::sync::Notify;

    use super::*;
    use crate::lane::{closing::Closing, lane::SendRefused};

    /// Counts how often it has to release what it holds.
    #[derive(Default)]
    struct CountingLane {
        flushes: AtomicUsize,
        room: Notify,
    }

    impl CountingLane {
        fn flushes(&self) -> usize {
            self.flushes.load(Ordering::Relaxed)
        }
    }

    impl Lane for CountingLane {
        fn has_control(&self) -> bool {
            true
        }

        fn max_record_len(&self) -> usize {
            0
        }

        fn try_send(&self, _: RecordKind, _: Urgency, _: &[u8], _: &[u8]) -> Result<Accepted, SendRefused> {
            Err(SendRefused::Closed)
        }

        fn sent(&self) -> u64 {
            0
        }

        fn unsent(&self) -> usize {
            0
        }

        fn flush(&self) {
            self.flushes.fetch_add(1, Ordering::Relaxed);
        }

        fn send_control(&self, _: &Control) {}

        fn room(&self, _: Precedence) -> &Notify {
            &self.room
        }

        fn close(&self, _: Closing) {}
    }

    fn hold() -> (Arc<CountingLane>, Arc<AnswerHold>, FirstTurn) {
        let counting = Arc::new(CountingLane::default());
        let lane: Arc<dyn Lane> = Arc::clone(&counting) as Arc<dyn Lane>;
        let (hold, first_turn) = AnswerHold::new(&lane);
        (counting, hold, first_turn)
    }

    fn poll_once(task: &mut BoxFuture<'static, ()>) {
        let _ = task.poll_unpin(&mut Context::from_waker(Waker::noop()));
    }

    #[test]
    fn the_batch_leaves_once_after_answer_and_first_turn() {
        for task in [pending().boxed(), ready(()).boxed()] {
            let (lane, hold, first_turn) = hold();
            let mut task = first_turn.run(task).boxed();
            assert!(hold.is_on());
            hold.answer_is_queued();
            assert_eq!(lane.flushes(), 0, "the turn is still to come");
            poll_once(&mut task);
            assert_eq!(lane.flushes(), 1);
            drop(task);
            assert_eq!(lane.flushes(), 1);
        }
        let (lane, hold, first_turn) = hold();
        let mut task = first_turn.run(pending().boxed()).boxed();
        poll_once(&mut task);
        assert!(!hold.is_on(), "the answer need not wait any more");
        assert_eq!(lane.flushes(), 0, "there is nothing yet");
        hold.answer_is_queued();
        assert_eq!(lane.flushes(), 1);
    }

    #[test]
    fn an_answer_does_not_wait_for_a_turn_that_has_begun() {
        let (lane, hold, first_turn) = hold();
        let of_task = Arc::clone(&hold);
        let task = async move {
            assert!(!of_task.is_on());
            of_task.answer_is_queued();
        };
        poll_once(&mut first_turn.run(task.boxed()).boxed());
        assert_eq!(lane.flushes(), 1);
    }

    #[test]
    fn the_answer_leaves_without_a_turn_if_there_is_to_be_none() {
        let (lane, hold, first_turn) = hold();
        hold.answer_is_queued();
        drop(first_turn.run(pending().boxed()));
        assert_eq!(lane.flushes(), 1, "dropped before its first turn");

        let (lane, hold, first_turn) = self::hold();
        hold.answer_is_queued();
        let task = first_turn.run(async { panic!("as it is told to") }.boxed());
        let mut task = async { drop(std::panic::AssertUnwindSafe(task).catch_unwind().await) }.boxed();
        poll_once(&mut task);
        assert_eq!(lane.flushes(), 1, "it panicked");
    }
}
