//! What may happen at once on a node, and how much is happening.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use actr_lite_manifest::Limits;
use actr_lite_registry::client::LoadReport;
use tokio_util::sync::CancellationToken;

use crate::ActrError;

/// A limit of a node that was reached: what there are too many of, how many that is, and the key of Actr.toml that
/// changes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit {
    what: &'static str,
    key: &'static str,
    value: usize,
}

impl Limit {
    pub(crate) const fn new(what: &'static str, key: &'static str, value: usize) -> Self {
        Self { what, key, value }
    }

    /// The key of Actr.toml, with its section.
    pub fn key(&self) -> &'static str {
        self.key
    }

    /// The most that there may be.
    pub fn value(&self) -> usize {
        self.value
    }
}

/// What follows "this node has".
impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { what, key, value } = self;
        write!(
            f,
            "{value} {what} at once already, which is its limit; try again when some have ended, or raise {key} in its \
             Actr.toml"
        )
    }
}

/// How much of something there may be, and how much there is.
#[derive(Debug)]
pub(crate) struct Quota {
    limit: Limit,
    used: AtomicUsize,
}

impl Quota {
    pub(crate) fn new(what: &'static str, key: &'static str, value: usize) -> Arc<Self> {
        Arc::new(Self {
            limit: Limit::new(what, key, value),
            used: AtomicUsize::new(0),
        })
    }

    /// Room for one more.
    pub(crate) fn take(self: &Arc<Self>) -> Result<Place, Limit> {
        self.take_if(1, |used| used < self.limit.value)
    }

    /// Room for this many more; if there are no others, they may be any number.
    pub(crate) fn take_many(self: &Arc<Self>, count: usize) -> Result<Place, Limit> {
        self.take_if(count, |used| {
            used == 0 || used.saturating_add(count) <= self.limit.value
        })
    }

    fn take_if(self: &Arc<Self>, count: usize, fits: impl Fn(usize) -> bool) -> Result<Place, Limit> {
        let add = |used| fits(used).then(|| used + count);
        match self.used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, add) {
            Ok(_) => Ok(Place {
                quota: Arc::clone(self),
                count,
            }),
            Err(_) => Err(self.limit),
        }
    }

    /// Which part of it is used.
    fn share(&self) -> f32 {
        self.used.load(Ordering::Relaxed) as f32 / self.limit.value as f32
    }
}

/// A part of a [`Quota`]; dropping it gives it back.
#[derive(Debug)]
pub(crate) struct Place {
    quota: Arc<Quota>,
    count: usize,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.quota.used.fetch_sub(self.count, Ordering::Relaxed);
    }
}

/// How much of a node's limits is used.
#[derive(Debug)]
pub(crate) struct Occupancy {
    limits: Limits,
    streams: Arc<Quota>,
    calls: Arc<Quota>,
    draining: CancellationToken,
}

impl Occupancy {
    /// For a node that does nothing yet; `draining` is cancelled when it takes nothing new any more.
    pub(crate) fn new(limits: Limits, draining: CancellationToken) -> Arc<Self> {
        Arc::new(Self {
            streams: Quota::new("streams open", "system.limits.max_streams", limits.max_streams.get()),
            calls: Quota::new("calls to serve", "system.limits.max_calls", limits.max_calls.get()),
            limits,
            draining,
        })
    }

    /// What there may be.
    pub(crate) fn limits(&self) -> &Limits {
        &self.limits
    }

    /// The streams that the node sends.
    pub(crate) fn streams(&self) -> &Arc<Quota> {
        &self.streams
    }

    /// The calls that the node serves.
    pub(crate) fn calls(&self) -> &Arc<Quota> {
        &self.calls
    }

    /// Cancelled when the node takes no new connections and calls any more.
    pub(crate) fn draining(&self) -> &CancellationToken {
        &self.draining
    }

    /// What the node's heartbeats tell.
    pub(crate) fn load(&self) -> LoadReport {
        if self.draining.is_cancelled() {
            return LoadReport::UNAVAILABLE;
        }
        LoadReport::new(self.streams.share(), self.calls.share())
    }

    /// Whether a call may have this metadata.
    pub(crate) fn check_metadata(&self, metadata: &[(String, String)]) -> Result<(), ActrError> {
        let len = metadata.iter().map(|(key, value)| key.len() + value.len()).sum();
        let value = self.limits.max_metadata_bytes.get();
        if len <= value {
            return Ok(());
        }
        Err(ActrError::MetadataTooLong {
            len,
            limit: Limit::new("bytes of metadata", "system.limits.max_metadata_bytes", value),
        })
    }
}

/// What this node and one peer use of their limits, over all their connections.
#[derive(Debug)]
pub(crate) struct PeerOccupancy {
    /// The streams that go to it.
    pub(crate) streams: Arc<Quota>,
    /// Its calls that are served.
    pub(crate) calls: Arc<Quota>,
    /// How many bytes the requests of those have.
    pub(crate) call_bytes: Arc<Quota>,
    /// The calls that wait for its answer.
    pub(crate) waiting_calls: Arc<Quota>,
}

impl PeerOccupancy {
    pub(crate) fn new(limits: &Limits) -> Arc<Self> {
        const CALLS: &str = "system.limits.max_calls_per_peer";
        Arc::new(Self {
            streams: Quota::new(
                "streams to one peer open",
                "system.limits.max_streams_per_peer",
                limits.max_streams_per_peer.get(),
            ),
            calls: Quota::new("calls of one peer to serve", CALLS, limits.max_calls_per_peer.get()),
            call_bytes: Quota::new(
                "bytes of requests of one peer to serve",
                "system.limits.max_call_bytes_per_peer",
                limits.max_call_bytes_per_peer.get(),
            ),
            waiting_calls: Quota::new("calls to one peer waiting", CALLS, limits.max_calls_per_peer.get()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quota_gives_out_its_places_and_takes_them_back() {
        let quota = Quota::new("things", "a.key", 2);
        let first = quota.take().unwrap();
        let _second = quota.take().unwrap();
        assert_eq!(quota.share(), 1.0);
        let limit = quota.take().unwrap_err();
        assert_eq!((limit.key(), limit.value()), ("a.key", 2));
        assert_eq!(
            limit.to_string(),
            "2 things at once already, which is its limit; try again when some have ended, or raise a.key in its \
             Actr.toml"
        );
        drop(first);
        assert!(quota.take().is_ok());
    }

    #[test]
    fn many_at_once_fit_together_or_alone() {
        let quota = Quota::new("bytes", "a.key", 10);
        let long = quota.take_many(100).unwrap();
        assert!(quota.take_many(1).is_err());
        drop(long);
        let _some = quota.take_many(6).unwrap();
        assert!(quota.take_many(5).is_err());
        assert!(quota.take_many(usize::MAX).is_err());
        assert!(quota.take_many(4).is_ok());
    }

    #[test]
    fn a_node_that_takes_nothing_new_is_unavailable() {
        let draining = CancellationToken::new();
        let occupancy = Occupancy::new(Limits::default(), draining.clone());
        assert_eq!(occupancy.load(), LoadReport::IDLE);
        draining.cancel();
        assert_eq!(occupancy.load(), LoadReport::UNAVAILABLE);
    }

    #[test]
    fn keys_and_values_of_metadata_count() {
        let occupancy = Occupancy::new(Limits::default(), CancellationToken::new());
        let metadata = |len: usize| [("key".to_owned(), "v".repeat(len - 3)), (String::new(), String::new())];
        assert!(occupancy.check_metadata(&[]).is_ok());
        assert!(occupancy.check_metadata(&metadata(16 << 10)).is_ok());
        let error = occupancy.check_metadata(&metadata((16 << 10) + 1)).unwrap_err();
        assert_eq!(error.code(), crate::ErrorCode::InvalidArgument);
        assert_eq!(
            error.to_string(),
            "the metadata of a call has 16385 bytes, but this node allows 16384; send less, or raise \
             system.limits.max_metadata_bytes in its Actr.toml"
        );
    }
}
