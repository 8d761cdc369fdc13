use std::time::Duration;

/// How long a stream may be without frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// What finding a server, connecting to it, asking it, and waiting for its first frame may take together, from one
    /// delivered frame's stream to the next delivered frame.
    pub timeout: Duration,
    /// How long a server that has agreed may take to send its first frame, if that is longer than what is left of the
    /// timeout; `None` if that is enough.
    pub first_frame: Option<Duration>,
    /// How long a server that has sent a frame may take to send the next one; `None` means no limit.
    pub idle_timeout: Option<Duration>,
}
