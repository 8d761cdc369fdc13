use std::{
    ops::Deref,
    sync::{Arc, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

use crate::{lane::closing::Closing, session::session::Session};

/// How much a session is used.
#[derive(Debug)]
pub(crate) struct Usage {
    users: usize,
    /// When the last of them left.
    unused_since: Instant,
    /// It takes no more: it is being closed as unused.
    retired: bool,
}

impl Usage {
    pub(crate) fn new() -> Self {
        Self {
            users: 0,
            unused_since: Instant::now(),
            retired: false,
        }
    }
}

/// A session that is not closed as unused as long as this exists.
pub(crate) struct InUse(Arc<Session>);

impl Deref for InUse {
    type Target = Arc<Session>;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl Clone for InUse {
    fn clone(&self) -> Self {
        self.0.usage().users += 1;
        Self(Arc::clone(&self.0))
    }
}

impl Drop for InUse {
    fn drop(&mut self) {
        let mut usage = self.0.usage();
        usage.users -= 1;
        if usage.users == 0 {
            usage.unused_since = Instant::now();
        }
    }
}

impl Session {
    fn usage(&self) -> std::sync::MutexGuard<'_, Usage> {
        self.usage.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins to use the session; `None` if it is being closed as unused.
    pub(crate) fn enter(self: &Arc<Self>) -> Option<InUse> {
        let mut usage = self.usage();
        if usage.retired {
            return None;
        }
        usage.users += 1;
        Some(InUse(Arc::clone(self)))
    }

    pub(crate) fn is_retired(&self) -> bool {
        self.usage().retired
    }

    /// Closes the session if it was unused for this long; otherwise returns when to check again.
    ///
    /// Once it has decided to close, it serves no call of the peer, which may then make it again over another
    /// connection. To be called by the task that receives what the peer sends: a stream can't begin meanwhile.
    pub(crate) fn close_if_unused(&self, idle_timeout: Duration) -> Option<Instant> {
        let now = Instant::now();
        // A stream that was asked for may begin with the next record.
        let is_waited_for = || self.node.subscriptions().wait_for_any(&self.peer);
        let Some(no_stream_since) = self.incoming.unused_since() else {
            return Some(now + idle_timeout);
        };
        if is_waited_for() {
            return Some(now + idle_timeout);
        }
        let mut usage = self.usage();
        if usage.users > 0 {
            return Some(now + idle_timeout);
        }
        let due = usage.unused_since.max(no_stream_since) + idle_timeout;
        if due > now {
            return Some(due);
        }
        usage.retired = true;
        drop(usage);
        self.close(Closing::Idle);
        None
    }
}
