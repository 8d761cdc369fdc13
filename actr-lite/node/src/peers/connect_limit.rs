use std::{
    net::IpAddr,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use actr_lite_net::source::Source;
use actr_lite_wire::{
    identity::ActrId,
    rate_limit::{Rate, RateLimit, TooOften},
};
use thiserror::Error;

/// Connections from one address, whoever makes them: the burst is twice what a node accepts at all, so that everybody may
/// come back at once to a node that was restarted. The rate costs a tenth of a processor without TLS, and one with it.
const FROM_ADDRESS: Rate = Rate {
    burst: 8192,
    per_second: 1000,
};

/// Connections of one peer: the burst is four times what it may have at a time.
const OF_PEER: Rate = Rate {
    burst: 1024,
    per_second: 100,
};

/// How often others may connect to this node.
pub(crate) struct ConnectLimit {
    started: Instant,
    buckets: Mutex<Buckets>,
}

struct Buckets {
    from_address: RateLimit<Source>,
    of_peer: RateLimit<(u32, u64)>,
}

/// Somebody connects too often.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub(crate) enum ConnectsTooOften {
    #[error(
        "connections from {from} come too often: after the first {} at most {} a second; try again in {} s",
        FROM_ADDRESS.burst,
        FROM_ADDRESS.per_second,
        .too_often.seconds()
    )]
    FromAddress { from: Source, too_often: TooOften },
    #[error(
        "{peer} connects too often: after the first {} at most {} a second; try again in {} s",
        OF_PEER.burst,
        OF_PEER.per_second,
        .too_often.seconds()
    )]
    OfPeer { peer: ActrId, too_often: TooOften },
}

impl ConnectsTooOften {
    /// In so many seconds it may be tried again.
    pub(crate) fn retry_after(&self) -> u64 {
        let (Self::FromAddress { too_often, .. } | Self::OfPeer { too_often, .. }) = self;
        too_often.seconds()
    }
}

impl Default for ConnectLimit {
    fn default() -> Self {
        let buckets = Buckets {
            from_address: RateLimit::new(FROM_ADDRESS),
            of_peer: RateLimit::new(OF_PEER),
        };
        Self {
            started: Instant::now(),
            buckets: Mutex::new(buckets),
        }
    }
}

impl ConnectLimit {
    /// Counts an upgrade request, before it is known whose it is.
    pub(crate) fn request(&self, address: IpAddr) -> Result<(), ConnectsTooOften> {
        let from = Source::of(address);
        let taken = self.buckets().from_address.take(from, self.started.elapsed());
        taken.map_err(|too_often| ConnectsTooOften::FromAddress { from, too_often })
    }

    /// Counts a connection of this peer.
    pub(crate) fn connect(&self, peer: &ActrId) -> Result<(), ConnectsTooOften> {
        let key = (peer.realm_id(), peer.serial_number());
        let taken = self.buckets().of_peer.take(key, self.started.elapsed());
        taken.map_err(|too_often| ConnectsTooOften::OfPeer {
            peer: peer.clone(),
            too_often,
        })
    }

    fn buckets(&self) -> MutexGuard<'_, Buckets> {
        // No code panics while it holds the lock.
        self.buckets.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
