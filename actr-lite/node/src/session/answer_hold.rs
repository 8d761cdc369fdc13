use std::{
    future::poll_fn,
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering},
    },
};

use futures_util::{FutureExt as _, future::BoxFuture};

use super::Session;

/// The answer stands in the lane's batch.
const QUEUED: u8 = 1;

/// The task has had its first turn.
const TURN_OVER: u8 = 2;

/// Keeps a call's answer for the first turn of a task that its handler has spawned: what that sends, the beginning of a
/// stream as a rule, then leaves in the same batch.
///
/// Neither waits for the other: whichever is done last, the answer or the turn, lets the batch leave.
pub(crate) struct AnswerHold {
    session: Arc<Session>,
    done: AtomicU8,
}

impl AnswerHold {
    /// For the call that came over this session, and the task.
    pub(crate) fn new(session: &Arc<Session>) -> (Arc<Self>, FirstTurn) {
        let hold = Arc::new(Self {
            session: Arc::clone(session),
            done: AtomicU8::new(0),
        });
        (Arc::clone(&hold), FirstTurn(hold))
    }

    /// The answer was queued, and may leave with what follows.
    pub(crate) fn answer_is_queued(&self) {
        self.note(QUEUED);
    }

    fn note(&self, what: u8) {
        if self.done.fetch_or(what, Ordering::AcqRel) | what == QUEUED | TURN_OVER {
            self.session.lane().flush();
        }
    }
}

/// The first turn of the task. Dropped, it is over, whether there was one or not.
pub(crate) struct FirstTurn(Arc<AnswerHold>);

impl FirstTurn {
    /// Runs the task; this is dropped when it pauses for the first time.
    pub(crate) async fn run(self, mut task: BoxFuture<'static, ()>) {
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
        self.0.note(TURN_OVER);
    }
}
