use actr_lite_engine::usage::UNUSED;
use actr_lite_wire::websocket::{CloseCode, CloseFrame};
use thiserror::Error;

/// Why this node closes a lane.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub(crate) enum Closing {
    /// The handle is dropped whose own it was.
    #[error("its handle was dropped")]
    Dropped,
    /// Nobody has used it for a long time. The peer's calls that came since are not served.
    #[error("{UNUSED}")]
    Idle,
    /// A stream that is to be asked for again can't be stopped in any other way.
    #[error("one of its streams is asked for again, and the peer knows no cancel")]
    Uncancellable,
    /// The node stops.
    #[error("the node is shutting down")]
    ShuttingDown,
    /// The peer makes this node say more than it reads.
    #[error("the peer asks for more than it reads")]
    Overwhelmed,
    /// The peer has not read what it asked for.
    #[error("the peer did not read an answer in time (system.limits.stall_timeout)")]
    Stalled,
}

impl Closing {
    /// What the peer is told.
    pub(crate) fn frame(self) -> CloseFrame {
        let code = match self {
            Self::Dropped | Self::Idle | Self::Uncancellable => CloseCode::NORMAL,
            Self::ShuttingDown => CloseCode::GOING_AWAY,
            Self::Overwhelmed | Self::Stalled => CloseCode::POLICY_VIOLATION,
        };
        CloseFrame::new(code, self.to_string())
    }
}
