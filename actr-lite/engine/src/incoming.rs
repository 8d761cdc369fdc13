//! The streams that a peer sends over one connection.

use std::{
    collections::{BTreeMap, BTreeSet},
    mem,
    time::Duration,
};

use actr_lite_wire::identity::StreamId;

/// How many streams are remembered that the peer may still send though they are not registered here.
const MAX_UNWANTED: usize = 4096;

/// What a remembered stream costs beside its name.
const UNWANTED_COST: usize = 96;

/// The streams that a peer sends over one connection. `Inbox` is where a stream's frames go.
#[derive(Debug)]
pub struct IncomingStreams<Inbox> {
    /// The inboxes that this connection feeds.
    bound: BTreeMap<StreamId, Inbox>,
    /// Streams that were cancelled, or never asked for: frames of theirs may be on their way until the sender
    /// confirms the end, and must not reach a later subscription of the same id.
    unwanted: BTreeSet<StreamId>,
    /// What those cost.
    unwanted_cost: usize,
    /// When the last one ended.
    unused_since: Duration,
}

/// Where a stream's frames go.
#[derive(Debug, PartialEq, Eq)]
pub enum Route<Inbox> {
    /// To a subscription.
    To(Inbox),
    /// Nowhere: that is known.
    Unwanted,
    /// Nobody knows the stream yet.
    Unknown,
}

/// Which stream it was that finished.
#[derive(Debug, PartialEq, Eq)]
pub enum Finished<Inbox> {
    /// One that this inbox got.
    Fed(Inbox),
    /// One that nobody wanted any more.
    Unwanted,
    /// One that never sent a frame on this connection.
    Unknown,
}

impl<Inbox: Clone> IncomingStreams<Inbox> {
    /// None yet.
    pub fn new(now: Duration) -> Self {
        Self {
            bound: BTreeMap::new(),
            unwanted: BTreeSet::new(),
            unwanted_cost: 0,
            unused_since: now,
        }
    }

    /// Where the frames of a stream go.
    pub fn route(&self, stream_id: &str) -> Route<Inbox> {
        match self.bound.get(stream_id) {
            Some(inbox) => Route::To(inbox.clone()),
            None if self.unwanted.contains(stream_id) => Route::Unwanted,
            None => Route::Unknown,
        }
    }

    /// From now on this connection feeds the inbox.
    pub fn bind(&mut self, stream_id: StreamId, inbox: Inbox) {
        self.bound.insert(stream_id, inbox);
    }

    /// Frames of this stream have to be dropped; false if that is known already.
    ///
    /// `may_hold` says whether the peer may make this node hold so many bytes for all names. If it may not, or there are
    /// too many of them, another one is forgotten, and its frames are refused once more.
    pub fn refuse(&mut self, stream_id: StreamId, mut may_hold: impl FnMut(usize) -> bool) -> bool {
        if self.unwanted.contains(&stream_id) {
            return false;
        }
        let cost = cost(&stream_id);
        if self.unwanted.len() >= MAX_UNWANTED || !may_hold(self.unwanted_cost + cost) {
            let Some(forgotten) = self.unwanted.pop_first() else {
                return true;
            };
            self.unwanted_cost -= self::cost(&forgotten);
            if !may_hold(self.unwanted_cost + cost) {
                return true;
            }
        }
        self.unwanted_cost += cost;
        self.unwanted.insert(stream_id)
    }

    /// The receiver wants no more of a stream: whether its sender is to be told.
    pub fn cancel(&mut self, stream_id: &StreamId, now: Duration, may_hold: impl FnMut(usize) -> bool) -> bool {
        self.unbind(stream_id.as_str(), now).is_some() && self.refuse(stream_id.clone(), may_hold)
    }

    /// The sender confirms that no more frames come. Returns the inbox that the connection fed, if the stream was
    /// wanted.
    pub fn finish(&mut self, stream_id: &str, now: Duration) -> Finished<Inbox> {
        if let Some(stream_id) = self.unwanted.take(stream_id) {
            self.unwanted_cost -= cost(&stream_id);
            return Finished::Unwanted;
        }
        self.unbind(stream_id, now).map_or(Finished::Unknown, Finished::Fed)
    }

    fn unbind(&mut self, stream_id: &str, now: Duration) -> Option<Inbox> {
        let inbox = self.bound.remove(stream_id)?;
        self.unused_since = now;
        Some(inbox)
    }

    /// Since when the connection feeds no inbox; `None` while it does.
    pub fn unused_since(&self) -> Option<Duration> {
        self.bound.is_empty().then_some(self.unused_since)
    }

    /// The connection is gone: the inboxes that it fed.
    pub fn take_all(&mut self) -> Vec<Inbox> {
        mem::take(&mut self.bound).into_values().collect()
    }

    /// What the names cost of the streams that are remembered as unwanted, in bytes.
    pub fn unwanted_cost(&self) -> usize {
        self.unwanted_cost
    }
}

fn cost(stream_id: &StreamId) -> usize {
    UNWANTED_COST + stream_id.as_str().len()
}

#[cfg(test)]
mod tests;
