use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use actr_lite_wire::record_limit::RecordLimit;

use crate::{
    session::{access::Access, departures::Departures, request_ids::RequestIds},
    stream::{stream_environment::StreamEnvironment, subscriptions::Subscriptions},
};

/// What the sessions of a node share.
pub(crate) struct SessionEnvironment {
    pub(crate) streams: Arc<StreamEnvironment>,
    pub(crate) subscriptions: Arc<Subscriptions>,
    pub(crate) departures: Departures,
    pub(crate) access: Access,
    pub(crate) request_ids: RequestIds,
    /// The longest record that this node sends and takes.
    pub(crate) record_limit: RecordLimit,
    unknown_frames: AtomicU64,
}

impl SessionEnvironment {
    pub(crate) fn new(streams: Arc<StreamEnvironment>, access: Access, record_limit: RecordLimit) -> Arc<Self> {
        let subscriptions = Subscriptions::new(streams.occupancy.limits());
        Arc::new(Self {
            streams,
            subscriptions,
            departures: Departures::default(),
            access,
            request_ids: RequestIds::new(),
            record_limit,
            unknown_frames: AtomicU64::new(0),
        })
    }

    pub(crate) fn count_unknown_frames(&self, count: u64) {
        self.unknown_frames.fetch_add(count, Ordering::Relaxed);
    }

    /// Frames that came for streams that were not registered, or from another sender.
    pub(crate) fn unknown_frames(&self) -> u64 {
        self.unknown_frames.load(Ordering::Relaxed)
    }
}
