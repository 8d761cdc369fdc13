/// How many bytes one turn takes before other tasks of the thread have theirs, among them whoever got an answer: a
/// fraction of a millisecond. With twice as much calls among streams wait longer.
const MAX_BYTES: usize = 512 << 10;

/// How many reads one turn makes, however little they bring: enough for the buffer to grow to its full size.
const MAX_READS: usize = 16;

/// What a frame counts as, however short it is: a ping or an empty fragment takes six bytes, and as much work as a short
/// message.
const LEAST_FRAME_COST: usize = 2 << 10;

/// What a driver may still do before others have their turn.
#[derive(Debug)]
pub(super) struct Turn {
    reads: usize,
    bytes: usize,
    /// What was read and did not count as frames yet.
    uncounted: usize,
}

impl Default for Turn {
    fn default() -> Self {
        Self {
            reads: MAX_READS,
            bytes: MAX_BYTES,
            uncounted: 0,
        }
    }
}

impl Turn {
    /// The most short frames that one turn takes.
    #[cfg(test)]
    pub(super) const MAX_FRAMES: usize = MAX_BYTES / LEAST_FRAME_COST;

    /// Takes one more look at what there is to read, if there is something left.
    pub(super) fn look(&mut self) -> bool {
        let goes_on = self.reads > 0 && self.bytes > 0;
        self.reads = self.reads.saturating_sub(1);
        goes_on
    }

    /// Takes what was read.
    pub(super) fn read(&mut self, len: usize) {
        self.bytes = self.bytes.saturating_sub(len);
        self.uncounted += len;
    }

    /// Takes one frame, if there is something left. It costs what was read for it, or a little more if it is short.
    pub(super) fn frame(&mut self) -> bool {
        let goes_on = self.bytes > 0 || self.uncounted > 0;
        let cost = LEAST_FRAME_COST.saturating_sub(self.uncounted);
        self.uncounted = self.uncounted.saturating_sub(LEAST_FRAME_COST);
        self.bytes = self.bytes.saturating_sub(cost);
        goes_on
    }
}
