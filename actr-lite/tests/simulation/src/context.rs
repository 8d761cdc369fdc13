use std::time::Duration;

use rand::rngs::SmallRng;

use crate::{
    network::Network,
    trace::{HostId, Trace},
};

/// What a host may use while it has its turn.
pub(crate) struct Context<'a> {
    pub(crate) now: Duration,
    pub(crate) host: HostId,
    pub(crate) rng: &'a mut SmallRng,
    pub(crate) network: &'a mut Network,
    pub(crate) trace: &'a mut Trace,
    pub(crate) failure: &'a mut Option<String>,
}

impl Context<'_> {
    pub(crate) fn record(&mut self, what: &'static str, numbers: [u64; 2]) {
        self.trace.record(self.now, self.host, what, numbers);
    }

    /// An invariant does not hold.
    pub(crate) fn fail(&mut self, what: impl Into<String>) {
        self.failure.get_or_insert_with(|| what.into());
    }

    /// Fails unless `holds`.
    pub(crate) fn check(&mut self, holds: bool, what: impl FnOnce() -> String) {
        if !holds {
            self.fail(what());
        }
    }
}

/// The earlier of two times, where none is never.
pub(crate) fn earlier(a: Option<Duration>, b: Option<Duration>) -> Option<Duration> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}
