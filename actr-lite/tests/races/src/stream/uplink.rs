use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use actr_lite_quota::{Limit, Quota};
use actr_lite_wire::{control::Control, identity::ActrId};

/// A connection that counts the credit it is told to give.
pub(crate) struct Uplink {
    peer: ActrId,
    lane: Grants,
    growth: Arc<Quota>,
}

pub(crate) struct Grants {
    has_control: bool,
    granted: AtomicU64,
}

impl Uplink {
    pub(crate) fn new(has_credit: bool) -> Arc<Self> {
        Arc::new(Self {
            peer: ActrId::new(1, 1, "acme+Sender".parse().unwrap()),
            lane: Grants {
                has_control: has_credit,
                granted: AtomicU64::new(0),
            },
            growth: Quota::whole(Limit::new("growth", "", 1 << 20)),
        })
    }

    pub(crate) fn peer(&self) -> &ActrId {
        &self.peer
    }

    pub(crate) fn lane(&self) -> &Grants {
        &self.lane
    }

    pub(crate) fn growth(&self) -> &Arc<Quota> {
        &self.growth
    }
}

impl Grants {
    pub(crate) fn has_control(&self) -> bool {
        self.has_control
    }

    pub(crate) fn send_control(&self, control: &Control) {
        if let Control::Credit { bytes, .. } = control {
            self.granted.fetch_add(*bytes, Ordering::Relaxed);
        }
    }

    pub(crate) fn granted(&self) -> u64 {
        self.granted.load(Ordering::Relaxed)
    }
}
