use std::time::Duration;

use actr_lite_wire::identity::ActrId;

use super::broken::Broken;

/// What the shell does next. What takes time reports its result as an [`Event`](super::Event).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action<S, E> {
    /// Ask the registry for servers, no longer than this.
    Discover {
        /// How long.
        timeout: Duration,
    },
    /// See whether a connection to this server is there or can be made, while another one sends.
    Connect {
        /// Which server.
        server: ActrId,
        /// How long it may take.
        timeout: Duration,
    },
    /// Register for this server's frames, then ask it for those that are missing.
    Ask {
        /// Which server.
        server: ActrId,
        /// How long connecting and its answer may take together.
        timeout: Duration,
    },
    /// Give up the present server: drop what was begun by `Ask`, `Discover` and `Connect`, and wait until no frame is
    /// being handed over any more. Unless the stream is complete, make sure that this server's frames stop. Poll again
    /// after that.
    Release,
    /// For logs and counts: this server has taken the stream over.
    TookOver(ActrId),
    /// For logs and counts: the stream broke, and is resumed.
    Broke(Broken<S>),
    /// Poll again at this time, if there is one, or after an event, whatever comes first.
    Wait(Option<Duration>),
    /// All frames were delivered. Nothing comes after it.
    Complete,
    /// The stream can't be completed. Nothing comes after it.
    GiveUp(GiveUp<S, E>),
}

/// Why a stream is given up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GiveUp<S, E> {
    /// No server sent a frame in time.
    TimedOut {
        /// How the stream broke; `None` if it never began.
        broken: Option<Broken<S>>,
        /// Why the last try failed; `None` if the stream itself broke again and again.
        cause: Option<E>,
    },
    /// No other try would change this.
    Refused(E),
    /// This node itself ended the stream.
    Ended(S),
}
