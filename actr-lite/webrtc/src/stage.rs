//! How far the session with a peer has got.

use std::time::Duration;

/// How long the registry may take to say who offers (actr 0.4.21).
pub const ROLE_TIMEOUT: Duration = Duration::from_secs(5);

/// How long the peer may take to offer (actr 0.4.21).
pub const OFFER_TIMEOUT: Duration = Duration::from_secs(10);

/// How long the peer's offer may take once the registry has told both who offers, before this node asks as well. Each question
/// makes an official node drop what it has offered.
pub const PROMISE_TIMEOUT: Duration = Duration::from_secs(2);

/// How long the second offer of a peer waits for a third, if both sides have asked at once: an official node asks again 1 s
/// after it has dropped its first, and then drops its second too.
pub const SETTLE_TIMEOUT: Duration = Duration::from_secs(2);

/// How long an offer may take until there is a session: official nodes give up after 12 s.
pub const SESSION_TIMEOUT: Duration = Duration::from_secs(12);

/// How long the channels may take once there is a path. DTLS that stays half-open does not heal: the next try begins at once.
/// An official node waits for 2 s.
pub const CHANNEL_TIMEOUT: Duration = Duration::from_secs(3);

/// How long nothing comes until the path counts as gone. Both sides check it every 1.5 s or 2 s, whatever else they send.
pub const SILENCE: Duration = Duration::from_secs(6);

/// How long a path that is gone is looked for, until the session ends: with [`SILENCE`], less than 10 s after it broke.
pub const RECOVERY_TIMEOUT: Duration = Duration::from_secs(3);

/// How long the peer may take with what was sent, before the session is closed.
pub const DRAIN_TIMEOUT: Duration = Duration::from_secs(1);

/// How long saying good-bye may take.
pub const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

/// Each but the first and `Ready` ends at a time of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    /// There is no session, and nobody wants one.
    Idle,
    /// The registry was asked who offers.
    Asking { until: Duration },
    /// The peer is to offer.
    Awaiting { until: Duration },
    /// The peer has offered twice; this is when the second offer is answered, if no other one comes.
    Settling { until: Duration },
    /// Something was offered or answered.
    Connecting { until: Duration, has_path: bool },
    /// A channel is open. When the last datagram came.
    Ready { heard: Duration },
    /// The path is gone.
    Recovering { until: Duration },
    /// The next try begins then.
    Pausing { until: Duration },
    /// The session is closed once the peer has all that was sent.
    Draining { until: Duration },
    /// The session is being closed.
    Closing { until: Duration },
}

impl Stage {
    /// When it is over, if nothing else happens.
    pub(crate) fn deadline(self) -> Option<Duration> {
        match self {
            Self::Idle => None,
            Self::Ready { heard } => Some(heard + SILENCE),
            Self::Asking { until }
            | Self::Awaiting { until }
            | Self::Settling { until }
            | Self::Connecting { until, .. }
            | Self::Recovering { until }
            | Self::Pausing { until }
            | Self::Draining { until }
            | Self::Closing { until } => Some(until),
        }
    }

    /// Whether there is a session over which records go.
    pub(crate) fn is_ready(self) -> bool {
        matches!(self, Self::Ready { .. } | Self::Recovering { .. })
    }

    /// Whether the session is being closed.
    pub(crate) fn is_closing(self) -> bool {
        matches!(self, Self::Draining { .. } | Self::Closing { .. })
    }
}
