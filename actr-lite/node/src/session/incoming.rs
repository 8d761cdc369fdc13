use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use actr_lite_wire::identity::StreamId;
use tokio::time::Instant;

use crate::stream::Inbox;

/// How many streams are remembered that the peer may still send though they are not registered here.
const MAX_UNWANTED: usize = 4096;

/// The streams that a peer sends.
#[derive(Default)]
pub(crate) struct IncomingStreams(Mutex<State>);

struct State {
    /// The inboxes that this connection feeds.
    bound: HashMap<StreamId, Arc<Inbox>>,
    /// Streams that were cancelled, or never asked for: frames of theirs may be on their way until the sender
    /// confirms the end, and must not reach a later subscription of the same id.
    unwanted: HashSet<StreamId>,
    /// When the last one ended.
    unused_since: Instant,
}

impl Default for State {
    fn default() -> Self {
        Self {
            bound: HashMap::new(),
            unwanted: HashSet::new(),
            unused_since: Instant::now(),
        }
    }
}

/// Where a stream's frames go.
pub(super) enum Route {
    /// To a subscription.
    To(Arc<Inbox>),
    /// Nowhere: that is known.
    Unwanted,
    /// Nobody knows the stream yet.
    Unknown,
}

impl IncomingStreams {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn route(&self, stream_id: &str) -> Route {
        let state = self.lock();
        match state.bound.get(stream_id) {
            Some(inbox) => Route::To(Arc::clone(inbox)),
            None if state.unwanted.contains(stream_id) => Route::Unwanted,
            None => Route::Unknown,
        }
    }

    pub(super) fn bind(&self, inbox: &Arc<Inbox>) {
        self.lock().bound.insert(inbox.stream_id().clone(), Arc::clone(inbox));
    }

    /// Frames of this stream have to be dropped; false if that is known already.
    pub(super) fn refuse(&self, stream_id: StreamId) -> bool {
        self.lock().add_unwanted(stream_id)
    }

    /// The receiver cancels; false if the connection does not feed the stream.
    pub(super) fn cancel(&self, stream_id: &StreamId) -> bool {
        let mut state = self.lock();
        state.unbind(stream_id.as_str()).is_some() && state.add_unwanted(stream_id.clone())
    }

    /// The sender confirms that no more frames come. Returns the inbox that the connection fed, if the stream was
    /// wanted.
    pub(super) fn finish(&self, stream_id: &str) -> Finished {
        let mut state = self.lock();
        if state.unwanted.remove(stream_id) {
            return Finished::Unwanted;
        }
        state.unbind(stream_id).map_or(Finished::Unknown, Finished::Fed)
    }

    /// Since when the connection feeds no inbox; none while it does.
    pub(super) fn unused_since(&self) -> Option<Instant> {
        let state = self.lock();
        state.bound.is_empty().then_some(state.unused_since)
    }

    /// The connection is gone.
    pub(super) fn take_all(&self) -> Vec<Arc<Inbox>> {
        self.lock().bound.drain().map(|(_, inbox)| inbox).collect()
    }
}

/// Which stream it was that finished.
pub(super) enum Finished {
    /// One that this inbox got.
    Fed(Arc<Inbox>),
    /// One that nobody wanted any more.
    Unwanted,
    /// One that never sent a frame on this connection.
    Unknown,
}

impl State {
    fn unbind(&mut self, stream_id: &str) -> Option<Arc<Inbox>> {
        let inbox = self.bound.remove(stream_id)?;
        self.unused_since = Instant::now();
        Some(inbox)
    }

    fn add_unwanted(&mut self, stream_id: StreamId) -> bool {
        if self.unwanted.len() >= MAX_UNWANTED
            && let Some(forgotten) = self.unwanted.iter().next().cloned()
        {
            // Frames of a forgotten one are refused once more.
            self.unwanted.remove(&forgotten);
        }
        self.unwanted.insert(stream_id)
    }
}
