use actr_lite_engine::outbox::Accepted;

/// By which part of itself a turn may go on until a batch is full, so that the pause does not cost a short write: a whole
/// batch for the longest turn, and little where others share the connection, who fill up what is left.
const OVERTIME: usize = 4;

/// How much a sender sends before other tasks of its thread have their turn.
pub(super) struct SenderTurn {
    /// What was sent since others had theirs.
    unbroken: usize,
    /// What may be sent before they have it again.
    limit: usize,
    /// They have it before the next frame.
    is_over: bool,
}

impl SenderTurn {
    /// A turn that begins now.
    pub(super) fn new(limit: usize) -> Self {
        Self {
            unbroken: 0,
            limit,
            is_over: false,
        }
    }

    #[inline]
    pub(super) fn is_over(&self) -> bool {
        self.is_over
    }

    /// Counts what was sent, and ends the turn at a good moment.
    #[inline]
    pub(super) fn count(&mut self, len: usize, accepted: Accepted) {
        self.unbroken += len;
        let is_good_moment = accepted == Accepted::BatchWritten || self.unbroken >= self.limit + self.limit / OVERTIME;
        self.is_over = self.unbroken >= self.limit && is_good_moment;
    }
}
