//! How far a node has got with an address at a relay.

use std::{net::SocketAddr, time::Duration};

/// For how long an address is asked (RFC 8656 §3.2): if this node dies, the relay forgets it after that.
pub(crate) const LIFETIME: Duration = Duration::from_secs(600);

/// The shortest and the longest lifetime that a relay's word is taken for.
const LIFETIMES: (Duration, Duration) = (Duration::from_secs(60), Duration::from_secs(3600));

/// How long a connection to the relay may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// How long the relay may take to hear that an address is let go: it ends by itself.
const RELEASE_TIMEOUT: Duration = Duration::from_millis(500);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    Idle,
    /// There is to be a socket.
    Connecting {
        until: Duration,
    },
    /// The relay was asked.
    Allocating,
    Open {
        relayed: SocketAddr,
        since: Duration,
        /// None: the relay is asked for more time.
        refresh: Option<Duration>,
    },
    Pausing {
        until: Duration,
    },
    /// The relay is told that the address is not needed any more.
    Releasing {
        until: Duration,
    },
}

impl Stage {
    /// There is to be a socket, from now on.
    pub(crate) fn connecting(now: Duration) -> Self {
        let until = now + CONNECT_TIMEOUT;
        Self::Connecting { until }
    }

    /// The relay is told from now on.
    pub(crate) fn releasing(now: Duration) -> Self {
        let until = now + RELEASE_TIMEOUT;
        Self::Releasing { until }
    }

    /// When it is over, or something is to be done in it.
    pub(crate) fn due(self) -> Option<Duration> {
        match self {
            Self::Idle | Self::Allocating => None,
            Self::Connecting { until } | Self::Pausing { until } | Self::Releasing { until } => Some(until),
            Self::Open { refresh, .. } => refresh,
        }
    }
}

/// When to ask for more time: halfway, which leaves time to ask again.
pub(crate) fn refresh_at(seconds: Option<u32>, now: Duration) -> Duration {
    let (shortest, longest) = LIFETIMES;
    let lifetime = seconds.map_or(LIFETIME, |seconds| Duration::from_secs(seconds.into()));
    now + lifetime.clamp(shortest, longest) / 2
}
