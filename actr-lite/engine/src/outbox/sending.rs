/// When a record is to leave whose batch is not full.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Urgency {
    /// At once, from the sender's own thread.
    Now,
    /// As soon as the sender pauses: others may follow.
    Pause,
    /// With what follows, or when the sender asks for a flush.
    Later,
}

/// What became of a record that was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Accepted {
    /// It waits for others, or for the next chance to write.
    Queued,
    /// It left at the end of a full batch, and nothing waits behind it.
    BatchWritten,
}

/// Why a record is not taken now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SendRefused<L> {
    /// The queue is full; a notice tells when to try again.
    Full,
    /// The peer would make this node hold more than its share.
    OverShare(L),
    /// Nothing is taken any more.
    Closed,
}
