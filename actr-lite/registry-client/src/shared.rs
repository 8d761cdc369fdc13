use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use actr_lite_net::DialProgress;
use actr_lite_wire::proto::signaling_to_actr::Payload;
use tokio::{
    sync::{Notify, mpsc, oneshot},
    time::Instant,
};
use tracing::debug;

use crate::{config::LinkConfig, error::RegistryLinkError, link::Link, relayed::Relayed};

/// How much that other nodes say may wait to be taken. Taking it takes microseconds.
const MAX_RELAYED: usize = 256;

/// Who waits for an answer.
pub(crate) type Waiter = oneshot::Sender<Result<Payload, RegistryLinkError>>;

/// What a link's handles and its task have in common.
pub(crate) struct Shared {
    pub(crate) config: LinkConfig,
    link: Mutex<Link<Waiter>>,
    began: Instant,
    /// Requests were added.
    pub(crate) added: Notify,
    /// Who follows what other nodes say.
    relayed: Mutex<Option<mpsc::Sender<Relayed>>>,
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
            relayed: Mutex::default(),
            progress: DialProgress::default(),
        }
    }

    /// What the link decides. The lock is held for no longer than it takes to ask, and nobody is woken under it.
    pub(crate) fn link(&self) -> MutexGuard<'_, Link<Waiter>> {
        // No code panics while it holds the lock.
        self.link.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From now on, what other nodes say.
    pub(crate) fn follow(&self) -> mpsc::Receiver<Relayed> {
        let (sender, receiver) = mpsc::channel(MAX_RELAYED);
        *self.relayed.lock().unwrap_or_else(PoisonError::into_inner) = Some(sender);
        receiver
    }

    /// Another node says this. Whoever does not keep up misses it: nodes say such things again.
    pub(crate) fn hand_over(&self, relayed: Relayed) {
        let relayed_to = self.relayed.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(follower) = relayed_to
            && follower.try_send(relayed).is_err()
        {
            debug!("what another node says is dropped");
        }
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
