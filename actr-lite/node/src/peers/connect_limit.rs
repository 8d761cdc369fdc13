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

/// Signing keys that this node asks its registry for, because an upgrade from one address names one that it does not know.
/// Anybody can name one, and the registry answers a node 200 questions a second, which are for its own: a flood from an
/// address gets a twentieth. A registry has two keys or three, and its earlier lives had as many.
const UNKNOWN_KEYS: Rate = Rate {
    burst: 64,
    per_second: 10,
};

/// How often others may connect to this node.
pub(crate) struct ConnectLimit {
    started: Instant,
    buckets: Mutex<Buckets>,
}

struct Buckets {
    from_address: RateLimit<Source>,
    of_peer: RateLimit<(u32, u64)>,
    unknown_keys: RateLimit<Source>,
}

impl Default for ConnectLimit {
    fn default() -> Self {
        let buckets = Buckets {
            from_address: RateLimit::new(FROM_ADDRESS),
            of_peer: RateLimit::new(OF_PEER),
            unknown_keys: RateLimit::new(UNKNOWN_KEYS),
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

    /// Counts a signing key that the registry is to be asked for.
    pub(crate) fn unknown_key(&self, address: IpAddr) -> Result<(), RateExceeded> {
        let from = Source::of(address);
        let taken = self.buckets().unknown_keys.take(from, self.started.elapsed());
        taken.map_err(|too_often| too_often.of(format_args!("{from} shows credentials with unknown signing keys")))
    }

    fn buckets(&self) -> MutexGuard<'_, Buckets> {
        // No code panics while it holds the lock.
        self.buckets.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
