use std::{
    net::IpAddr,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use actr_lite_net::source::Source;
use actr_lite_wire::{
    identity::ActrId,
    rate_limit::{Rate, RateExceeded, RateLimit},
};

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
    pub(crate) fn request(&self, address: IpAddr) -> Result<(), RateExceeded> {
        let from = Source::of(address);
        let taken = self.buckets().from_address.take(from, self.started.elapsed());
        taken.map_err(|too_often| too_often.of(format_args!("connections from {from} come")))
    }

    /// Counts a connection of this peer.
    pub(crate) fn connect(&self, peer: &ActrId) -> Result<(), RateExceeded> {
        let key = (peer.realm_id(), peer.serial_number());
        let taken = self.buckets().of_peer.take(key, self.started.elapsed());
        taken.map_err(|too_often| too_often.of(format_args!("{peer} connects")))
    }

    fn buckets(&self) -> MutexGuard<'_, Buckets> {
        // No code panics while it holds the lock.
        self.buckets.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
