use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use actr_lite_engine::incoming::{self, Finished, Route};
use actr_lite_quota::Permit;
use actr_lite_wire::{control::Control, identity::StreamId};

use crate::stream::{inbox::Inbox, uplink::Uplink};

/// The streams that a peer sends over one connection.
///
/// [`incoming::IncomingStreams`] knows which they are; this has the lock, and what the peer's account says of their names.
pub(crate) struct IncomingStreams {
    uplink: Arc<Uplink>,
    state: Mutex<State>,
}

struct State {
    streams: incoming::IncomingStreams<Arc<Inbox>>,
    /// For the names of streams that are remembered as unwanted.
    held: Option<Permit>,
}

impl IncomingStreams {
    pub(crate) fn new(uplink: Arc<Uplink>) -> Arc<Self> {
        let now = uplink.age();
        Arc::new(Self {
            uplink,
            state: Mutex::new(State {
                streams: incoming::IncomingStreams::new(now),
                held: None,
            }),
        })
    }

    /// The connection that brings them.
    pub(crate) fn uplink(&self) -> &Arc<Uplink> {
        &self.uplink
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn route(&self, stream_id: &str) -> Route<Arc<Inbox>> {
        self.lock().streams.route(stream_id)
    }

    pub(crate) fn bind(&self, inbox: &Arc<Inbox>) {
        self.lock().streams.bind(inbox.stream_id().clone(), Arc::clone(inbox));
    }

    /// Frames of this stream have to be dropped; false if that is known already.
    pub(crate) fn refuse(&self, stream_id: StreamId) -> bool {
        let State { streams, held } = &mut *self.lock();
        let is_new = streams.refuse(stream_id, |total| self.may_hold(held, total));
        give_back(held, streams.unwanted_cost());
        is_new
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
        let State { streams, held } = &mut *self.lock();
        let was_bound = streams.cancel(stream_id, self.uplink.age(), |total| self.may_hold(held, total));
        give_back(held, streams.unwanted_cost());
        was_bound
    }

    /// Whether the peer may make this node hold so many bytes of names.
    fn may_hold(&self, held: &mut Option<Permit>, total: usize) -> bool {
        match held {
            Some(held) => held.resize(total).is_ok(),
            None => self
                .uplink
                .account()
                .hold(total)
                .map(|permit| *held = Some(permit))
                .is_ok(),
        }
    }

    /// The sender confirms that no more frames come. Returns the inbox that the connection fed, if the stream was
    /// wanted.
    pub(crate) fn finish(&self, stream_id: &str) -> Finished<Arc<Inbox>> {
        let State { streams, held } = &mut *self.lock();
        let finished = streams.finish(stream_id, self.uplink.age());
        give_back(held, streams.unwanted_cost());
        finished
    }

    /// Since when, in the connection's age, it feeds no inbox; `None` while it does.
    pub(crate) fn unused_since(&self) -> Option<Duration> {
        self.lock().streams.unused_since()
    }

    /// The connection is gone.
    pub(crate) fn take_all(&self) -> Vec<Arc<Inbox>> {
        self.lock().streams.take_all()
    }
}

fn give_back(held: &mut Option<Permit>, total: usize) {
    if let Some(held) = held {
        held.shrink(total);
    }
}
