use std::sync::Arc;

use crate::sync::answer_hold::{self, Batch};

use crate::lane::lane::Lane;

/// Keeps a call's answer for the first turn of a task that its handler has spawned.
pub(crate) type AnswerHold = answer_hold::AnswerHold<LaneBatch>;

/// The first turn of that task.
pub(crate) type FirstTurn = answer_hold::FirstTurn<LaneBatch>;

/// What waits on the lane over which the call came.
pub(crate) struct LaneBatch(pub(crate) Arc<dyn Lane>);

impl Batch for LaneBatch {
    fn flush(&self) {
        self.0.flush();
    }
}
