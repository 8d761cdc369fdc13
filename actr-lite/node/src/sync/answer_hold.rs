//! What lets a call's answer leave together with what its handler's first task sends.

use std::{future::poll_fn, sync::Arc};

use futures_util::{FutureExt as _, future::BoxFuture};

use crate::sync::primitives::{AtomicU8, Ordering};

/// The task has its first turn, or had it.
const TURN_BEGUN: u8 = 1;

/// The task has had its first turn.
const TURN_OVER: u8 = 2;

/// The answer stands in the batch.
const QUEUED: u8 = 4;

/// A batch that holds the answer.
pub(crate) trait Batch: Send + Sync + 'static {
    /// Lets what waits in it leave at once.
    fn flush(&self);
}

/// Keeps a call's answer for the first turn of a task that its handler has spawned: what that sends, the beginning of a
/// stream as a rule, then leaves in the same batch.
///
/// The answer waits only if that turn is still to come, and whichever is done last, the answer or the turn, lets the
/// batch leave.
pub(crate) struct AnswerHold<B: Batch> {
    batch: B,
    done: AtomicU8,
}

impl<B: Batch> AnswerHold<B> {
    /// For the batch where the answer will stand, and the task.
    pub(crate) fn new(batch: B) -> (Arc<Self>, FirstTurn<B>) {
        let hold = Arc::new(Self {
            batch,
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
            self.batch.flush();
        }
    }
}

/// The first turn of the task. Dropped, it is over, whether there was one or not.
pub(crate) struct FirstTurn<B: Batch>(Arc<AnswerHold<B>>);

impl<B: Batch> FirstTurn<B> {
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

impl<B: Batch> Drop for FirstTurn<B> {
    fn drop(&mut self) {
        self.0.note(TURN_BEGUN | TURN_OVER);
    }
}
