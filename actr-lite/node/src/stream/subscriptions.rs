use std::{
    collections::{HashMap, hash_map::Entry},
    mem,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use actr_lite_wire::identity::{ActrId, ParseStreamIdError, StreamId};
use thiserror::Error;

use super::{Inbox, StreamEnd};

/// The most streams that a node receives at once: each may hold a window of up to a mebibyte.
const MAX_SUBSCRIPTIONS: usize = 65_536;

/// Why a stream can't be subscribed to.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum SubscribeError {
    /// Somebody on this node has.
    #[error("stream {0} is registered on this node already; unregister it first")]
    AlreadyRegistered(StreamId),
    /// The text is not a stream id.
    #[error(transparent)]
    StreamId(#[from] ParseStreamIdError),
    /// The node has shut down.
    #[error("this node has shut down")]
    Stopped,
    /// A bound of this node is reached.
    #[error("this node has {limit} streams registered already, which is its limit")]
    TooMany {
        /// The bound.
        limit: usize,
    },
}

/// The streams that this node receives.
#[derive(Default)]
pub(crate) struct Subscriptions(Mutex<State>);

#[derive(Default)]
struct State {
    inboxes: HashMap<StreamId, Arc<Inbox>>,
    stopped: bool,
}

impl Subscriptions {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn insert(&self, stream_id: StreamId) -> Result<Arc<Inbox>, SubscribeError> {
        let mut state = self.lock();
        if state.stopped {
            return Err(SubscribeError::Stopped);
        }
        let count = state.inboxes.len();
        match state.inboxes.entry(stream_id) {
            Entry::Occupied(entry) => Err(SubscribeError::AlreadyRegistered(entry.key().clone())),
            Entry::Vacant(_) if count >= MAX_SUBSCRIPTIONS => Err(SubscribeError::TooMany {
                limit: MAX_SUBSCRIPTIONS,
            }),
            Entry::Vacant(entry) => {
                let inbox = Inbox::new(entry.key().clone());
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
