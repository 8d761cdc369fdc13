use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use actr_lite_quota::Permit;
use actr_lite_wire::{control::Control, identity::StreamId};
use tokio::time::Instant;

use crate::{
    limits::accounts::PeerAccount,
    stream::{inbox::Inbox, uplink::Uplink},
};

/// How many streams are remembered that the peer may still send though they are not registered here.
const MAX_UNWANTED: usize = 4096;

/// What a remembered stream costs beside its name.
const UNWANTED_COST: usize = 96;

/// The streams that a peer sends.
pub(crate) struct IncomingStreams {
    uplink: Arc<Uplink>,
    state: Mutex<State>,
}

struct State {
    /// The inboxes that this connection feeds.
    bound: HashMap<StreamId, Arc<Inbox>>,
    /// Streams that were cancelled, or never asked for: frames of theirs may be on their way until the sender
    /// confirms the end, and must not reach a later subscription of the same id.
    unwanted: HashSet<StreamId>,
    /// For the names of those.
    held: Option<Permit>,
    /// When the last one ended.
    unused_since: Instant,
}

impl Default for State {
    fn default() -> Self {
        Self {
            bound: HashMap::new(),
            unwanted: HashSet::new(),
            held: None,
            unused_since: Instant::now(),
        }
    }
}

/// Where a stream's frames go.
pub(crate) enum Route {
    /// To a subscription.
    To(Arc<Inbox>),
    /// Nowhere: that is known.
    Unwanted,
    /// Nobody knows the stream yet.
    Unknown,
}

impl IncomingStreams {
    pub(crate) fn new(uplink: Arc<Uplink>) -> Arc<Self> {
        Arc::new(Self {
            uplink,
            state: Mutex::default(),
        })
    }

    /// The connection that brings them.
    pub(crate) fn uplink(&self) -> &Arc<Uplink> {
        &self.uplink
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn route(&self, stream_id: &str) -> Route {
        let state = self.lock();
        match state.bound.get(stream_id) {
            Some(inbox) => Route::To(Arc::clone(inbox)),
            None if state.unwanted.contains(stream_id) => Route::Unwanted,
            None => Route::Unknown,
        }
    }

    pub(crate) fn bind(&self, inbox: &Arc<Inbox>) {
        self.lock().bound.insert(inbox.stream_id().clone(), Arc::clone(inbox));
    }

    /// Frames of this stream have to be dropped; false if that is known already.
    pub(crate) fn refuse(&self, stream_id: StreamId) -> bool {
        self.lock().add_unwanted(stream_id, self.uplink.account())
    }

    /// This node wants no more of a stream: the peer is told, if the connection feeds it.
    pub(crate) fn cancel(&self, stream_id: &StreamId, reason: &str) {
        if self.unbind(stream_id) {
            self.uplink.lane().send_control(&Control::Cancel {
                stream_id: stream_id.clone(),
                reason: reason.into(),
            });
        }
    }

    /// The receiver wants no more; false if the connection does not feed the stream.
    fn unbind(&self, stream_id: &StreamId) -> bool {
        let mut state = self.lock();
        state.unbind(stream_id.as_str()).is_some() && state.add_unwanted(stream_id.clone(), self.uplink.account())
    }

    /// The sender confirms that no more frames come. Returns the inbox that the connection fed, if the stream was
    /// wanted.
    pub(crate) fn finish(&self, stream_id: &str) -> Finished {
        let mut state = self.lock();
        if state.unwanted.remove(stream_id) {
            state.release(stream_id);
            return Finished::Unwanted;
        }
        state.unbind(stream_id).map_or(Finished::Unknown, Finished::Fed)
    }

    /// Since when the connection feeds no inbox; none while it does.
    pub(crate) fn unused_since(&self) -> Option<Instant> {
        let state = self.lock();
        state.bound.is_empty().then_some(state.unused_since)
    }

    /// The connection is gone.
    pub(crate) fn take_all(&self) -> Vec<Arc<Inbox>> {
        self.lock().bound.drain().map(|(_, inbox)| inbox).collect()
    }
}

/// Which stream it was that finished.
pub(crate) enum Finished {
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

    fn add_unwanted(&mut self, stream_id: StreamId, account: &PeerAccount) -> bool {
        if self.unwanted.contains(&stream_id) {
            return false;
        }
        if self.unwanted.len() >= MAX_UNWANTED || !self.hold(&stream_id, account) {
            // Frames of a forgotten one are refused once more.
            let Some(forgotten) = self.unwanted.iter().next().cloned() else {
                return true;
            };
            self.unwanted.remove(&forgotten);
            self.release(forgotten.as_str());
            if !self.hold(&stream_id, account) {
                return true;
            }
        }
        self.unwanted.insert(stream_id)
    }

    /// Whether the peer's share has room for a name.
    fn hold(&mut self, stream_id: &StreamId, account: &PeerAccount) -> bool {
        let cost = UNWANTED_COST + stream_id.as_str().len();
        match &mut self.held {
            Some(held) => held.resize(held.amount() + cost).is_ok(),
            None => account.hold(cost).map(|held| self.held = Some(held)).is_ok(),
        }
    }

    fn release(&mut self, stream_id: &str) {
        if let Some(held) = &mut self.held {
            held.shrink(held.amount().saturating_sub(UNWANTED_COST + stream_id.len()));
        }
    }
}
