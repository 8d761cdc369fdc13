use std::time::Instant;

use actr_lite_admin::event::Direction;

use crate::tally::tally::Tally;

/// A call that waits for its answer, as it is shown.
#[derive(Debug, Clone, Copy)]
pub(crate) struct OpenCall {
    /// No other call of this node has it.
    pub(crate) number: u64,
    pub(crate) route: &'static str,
    pub(crate) direction: Direction,
    pub(crate) began: Instant,
}

impl OpenCall {
    /// One that begins now.
    pub(super) fn begin(tally: &Tally, route: &'static str, direction: Direction) -> Self {
        Self {
            number: tally.next_call(),
            route,
            direction,
            began: Instant::now(),
        }
    }
}
