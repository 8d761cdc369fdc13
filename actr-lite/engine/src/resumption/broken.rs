use std::time::Duration;

use actr_lite_wire::identity::ActrId;

/// How one server's stream broke before it was complete.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Broken<S> {
    /// The stream ended, as it says itself.
    Ended(S),
    /// The server shuts down, and there is another one.
    Leaving(ActrId),
    /// The server agreed, and sent no frame.
    Silent {
        /// Who.
        server: ActrId,
        /// How long it had.
        after: Duration,
        /// How many bytes came of one frame.
        partial_len: usize,
    },
    /// The server sent no further frame.
    Idle {
        /// Who.
        server: ActrId,
        /// For how long.
        after: Duration,
    },
}
