use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use actr_lite_net::DialProgress;
use actr_lite_wire::proto::signaling_to_actr::Payload;
use tokio::{
    sync::{Notify, oneshot},
    time::Instant,
};

use crate::{config::LinkConfig, error::RegistryLinkError, link::Link};

/// Who waits for an answer.
pub(crate) type Waiter = oneshot::Sender<Result<Payload, RegistryLinkError>>;

/// What a link's handles and its task have in common.
pub(crate) struct Shared {
    pub(crate) config: LinkConfig,
    link: Mutex<Link<Waiter>>,
    began: Instant,
    /// Requests were added.
    pub(crate) added: Notify,
    /// The step at which the link's own connection is; renewals beside it are not told.
    pub(crate) progress: DialProgress,
}

impl Shared {
    pub(crate) fn new(config: LinkConfig) -> Self {
        Self {
            link: Mutex::new(Link::new(config.url.clone(), rand::random())),
            config,
            began: Instant::now(),
            added: Notify::new(),
            progress: DialProgress::default(),
        }
    }

    /// What the link decides. The lock is held for no longer than it takes to ask, and nobody is woken under it.
    pub(crate) fn link(&self) -> MutexGuard<'_, Link<Waiter>> {
        // No code panics while it holds the lock.
        self.link.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The link's time.
    pub(crate) fn now(&self) -> Duration {
        self.began.elapsed()
    }

    /// The same as a timer knows it.
    pub(crate) fn instant(&self, at: Duration) -> Instant {
        self.began + at
    }
}
