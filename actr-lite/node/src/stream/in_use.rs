use std::{ops::Deref, sync::Arc};

use crate::stream::uplink::Uplink;

/// A connection that is not closed as unused as long as this exists.
pub(crate) struct InUse(Arc<Uplink>);

impl InUse {
    /// Begins to use a connection; `None` if it is being closed as unused.
    pub(crate) fn enter(uplink: &Arc<Uplink>) -> Option<Self> {
        let is_open = uplink.usage().enter();
        is_open.then(|| Self(Arc::clone(uplink)))
    }
}

impl Deref for InUse {
    type Target = Arc<Uplink>;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl Clone for InUse {
    fn clone(&self) -> Self {
        self.0.usage().join();
        Self(Arc::clone(&self.0))
    }
}

impl Drop for InUse {
    fn drop(&mut self) {
        let age = self.0.age();
        self.0.usage().leave(age);
    }
}
