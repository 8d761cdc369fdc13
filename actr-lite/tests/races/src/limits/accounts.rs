use std::sync::Arc;

use actr_lite_quota::{Limit, Permit, Quota};

/// What a peer may make this node hold.
#[derive(Debug)]
pub(crate) struct PeerAccount(Arc<Quota>);

impl PeerAccount {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self(Quota::whole(Limit::new("bytes", "", 1 << 20))))
    }

    pub(crate) fn hold(&self, bytes: usize) -> Result<Permit, Limit> {
        self.0.take(bytes)
    }
}
