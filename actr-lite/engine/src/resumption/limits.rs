use std::time::Duration;

/// How long one server may take to be reached and to agree before the next one is asked.
pub const ASK_TIMEOUT: Duration = Duration::from_secs(10);

/// How long to wait for the registry if servers are known from before; after that they are asked.
pub const DISCOVER_TIMEOUT: Duration = Duration::from_secs(2);

/// How often another server is looked for while the one that sends is of little use.
pub const LOOK_EVERY: Duration = Duration::from_millis(500);

/// How long to wait, when all frames have arrived, for the sender to say that it has finished: one that does not speak
/// the extension never says so.
pub const END_GRACE: Duration = Duration::from_secs(1);

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
