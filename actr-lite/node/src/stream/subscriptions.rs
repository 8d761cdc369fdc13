use actr_lite_quota::Limit;
use std::{
    collections::{HashMap, hash_map::Entry},
    mem,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use actr_lite_manifest::Limits;
use actr_lite_wire::identity::{ActrId, ParseStreamIdError, StreamId};
use thiserror::Error;

use crate::stream::{
    inbox::{Inbox, Unbound},
    incoming::IncomingStreams,
    stream_end::StreamEnd,
};

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
    streams: HashMap<StreamId, Subscribed>,
    stopped: bool,
}

struct Subscribed {
    inbox: Arc<Inbox>,
    /// The connection that feeds it, from its first record on.
    source: Option<Arc<IncomingStreams>>,
}

impl Subscriptions {
    pub(crate) fn new(limits: &Limits) -> Arc<Self> {
        Arc::new(Self {
            limit: Limit::new(
                "streams registered",
                "system.limits.max_subscriptions",
                limits.max_subscriptions.get(),
            ),
            state: Mutex::default(),
        })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn insert(&self, stream_id: StreamId, sender: ActrId) -> Result<Arc<Inbox>, SubscribeError> {
        let mut state = self.lock();
        if state.stopped {
            return Err(SubscribeError::Stopped);
        }
        let count = state.streams.len();
        match state.streams.entry(stream_id) {
            Entry::Occupied(entry) => Err(SubscribeError::AlreadyRegistered(entry.key().clone())),
            Entry::Vacant(_) if count >= self.limit.value() => Err(SubscribeError::TooMany(self.limit)),
            Entry::Vacant(entry) => {
                let inbox = Inbox::new(entry.key().clone(), sender);
                let subscribed = Subscribed { inbox, source: None };
                Ok(Arc::clone(&entry.insert(subscribed).inbox))
            }
        }
    }

    /// Lets a connection feed the stream of this id; its inbox.
    pub(crate) fn bind(&self, stream_id: &str, source: &Arc<IncomingStreams>) -> Result<Arc<Inbox>, Unbound> {
        let mut state = self.lock();
        let subscribed = state.streams.get_mut(stream_id).ok_or(Unbound::Unknown)?;
        subscribed.inbox.bind(source.uplink())?;
        subscribed.source.get_or_insert_with(|| Arc::clone(source));
        Ok(Arc::clone(&subscribed.inbox))
    }

    /// Ends a subscription, and stops its sender unless the stream was over.
    pub(crate) fn unsubscribe(&self, inbox: &Arc<Inbox>, end: StreamEnd) {
        let source = self.remove(inbox).and_then(|subscribed| subscribed.source);
        let reason = inbox.ended().is_none().then(|| end.to_string());
        inbox.end(end);
        if let (Some(reason), Some(source)) = (reason, source) {
            source.cancel(inbox.stream_id(), &reason);
        }
    }

    /// Forgets this very inbox, not a later one of the same id.
    fn remove(&self, inbox: &Arc<Inbox>) -> Option<Subscribed> {
        let streams = &mut self.lock().streams;
        let known = streams.get(inbox.stream_id())?;
        Arc::ptr_eq(&known.inbox, inbox)
            .then(|| streams.remove(inbox.stream_id()))
            .flatten()
    }

    pub(crate) fn find(&self, stream_id: &str) -> Option<Arc<Inbox>> {
        self.lock()
            .streams
            .get(stream_id)
            .map(|subscribed| Arc::clone(&subscribed.inbox))
    }

    /// Whether an inbox waits for this peer's first record.
    pub(crate) fn wait_for_any(&self, peer: &ActrId) -> bool {
        self.lock()
            .streams
            .values()
            .any(|subscribed| subscribed.inbox.waits_for(peer))
    }

    /// The inboxes that wait for a peer's first record.
    pub(crate) fn waiting_for(&self, peer: &ActrId) -> Vec<Arc<Inbox>> {
        self.lock()
            .streams
            .values()
            .map(|subscribed| &subscribed.inbox)
            .filter(|inbox| inbox.waits_for(peer))
            .cloned()
            .collect()
    }

    /// The node has shut down: what nobody feeds any more ends, and nothing new begins.
    pub(crate) fn stop(&self) {
        let streams = {
            let mut state = self.lock();
            state.stopped = true;
            mem::take(&mut state.streams)
        };
        for subscribed in streams.into_values() {
            subscribed.inbox.end(StreamEnd::Stopped);
        }
    }
}
