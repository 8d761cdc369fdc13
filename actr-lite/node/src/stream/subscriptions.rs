use actr_lite_quota::Limit;
use std::{
    collections::{HashMap, hash_map::Entry},
    mem,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use actr_lite_manifest::Limits;
use actr_lite_wire::identity::{ActrId, ParseStreamIdError, StreamId};
use thiserror::Error;

use crate::stream::{inbox::Inbox, stream_end::StreamEnd};

/// Why a stream can't be subscribed to.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum SubscribeError {
    /// It is registered on this node already.
    #[error("stream {0} is registered on this node already; unregister it first")]
    AlreadyRegistered(StreamId),
    /// The text is not a stream id.
    #[error(transparent)]
    StreamId(#[from] ParseStreamIdError),
    /// The node has shut down.
    #[error("this node has shut down")]
    Stopped,
    /// A limit of this node is reached.
    #[error("this node has {0}")]
    TooMany(Limit),
}

/// The streams that this node receives.
pub(crate) struct Subscriptions {
    limit: Limit,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    inboxes: HashMap<StreamId, Arc<Inbox>>,
    stopped: bool,
}

impl Subscriptions {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self {
            limit: Limit::new(
                "streams registered",
                "system.limits.max_subscriptions",
                limits.max_subscriptions.get(),
            ),
            state: Mutex::default(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn insert(&self, stream_id: StreamId, sender: ActrId) -> Result<Arc<Inbox>, SubscribeError> {
        let mut state = self.lock();
        if state.stopped {
            return Err(SubscribeError::Stopped);
        }
        let count = state.inboxes.len();
        match state.inboxes.entry(stream_id) {
            Entry::Occupied(entry) => Err(SubscribeError::AlreadyRegistered(entry.key().clone())),
            Entry::Vacant(_) if count >= self.limit.value() => Err(SubscribeError::TooMany(self.limit)),
            Entry::Vacant(entry) => {
                let inbox = Inbox::new(entry.key().clone(), sender);
                Ok(Arc::clone(entry.insert(inbox)))
            }
        }
    }

    /// Forgets this very inbox, not a later one of the same id.
    pub(crate) fn remove(&self, inbox: &Arc<Inbox>) {
        let inboxes = &mut self.lock().inboxes;
        if inboxes
            .get(inbox.stream_id())
            .is_some_and(|known| Arc::ptr_eq(known, inbox))
        {
            inboxes.remove(inbox.stream_id());
        }
    }

    pub(crate) fn find(&self, stream_id: &str) -> Option<Arc<Inbox>> {
        self.lock().inboxes.get(stream_id).cloned()
    }

    /// Whether an inbox waits for this peer's first record.
    pub(crate) fn wait_for_any(&self, peer: &ActrId) -> bool {
        self.lock().inboxes.values().any(|inbox| inbox.waits_for(peer))
    }

    /// The inboxes that wait for a peer's first record.
    pub(crate) fn waiting_for(&self, peer: &ActrId) -> Vec<Arc<Inbox>> {
        self.lock()
            .inboxes
            .values()
            .filter(|inbox| inbox.waits_for(peer))
            .cloned()
            .collect()
    }

    /// The node has shut down: what nobody feeds any more ends, and nothing new begins.
    pub(crate) fn stop(&self) {
        let inboxes = {
            let mut state = self.lock();
            state.stopped = true;
            mem::take(&mut state.inboxes)
        };
        for inbox in inboxes.into_values() {
            inbox.end(StreamEnd::Stopped);
        }
    }
}
