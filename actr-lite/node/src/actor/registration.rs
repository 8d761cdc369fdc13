use std::sync::Arc;

use actr_lite_wire::{
    identity::{ActrId, StreamId},
    trace_context::TraceContext,
};
use tokio::sync::oneshot;

use crate::{
    actor::actor::Actor,
    stream::{
        delivery::{Delivered, Delivery},
        in_place::{InPlace, StreamTasks, is_short_turn},
        inbox::Inbox,
        progress::{ProgressCell, StreamProgress},
        stream_end::StreamEnd,
        subscription::Subscription,
    },
};

/// A callback that gets the frames of a stream. Dropping this unregisters the stream, and stops its sender.
#[must_use = "dropping a registration unregisters its stream"]
pub struct StreamRegistration {
    actor: Arc<Actor>,
    inbox: Arc<Inbox>,
    progress: Arc<ProgressCell>,
    delivered: oneshot::Receiver<Delivered>,
    end: Option<StreamEnd>,
    /// How many frames had come before this sender's stream.
    begun_with: u64,
    /// What the registration is a part of.
    trace: Option<TraceContext>,
    /// The stream goes on without this.
    is_detached: bool,
}

impl StreamRegistration {
    /// Prepares everything for frames; ask for the stream after that. See [`InPlace`] for where the
    /// callback runs.
    pub(crate) fn start(
        actor: &Arc<Actor>,
        subscription: Subscription,
        delivery: Box<dyn Delivery>,
        progress: Arc<ProgressCell>,
        trace: Option<TraceContext>,
    ) -> Self {
        let (done, delivered) = oneshot::channel();
        let inbox = Arc::clone(subscription.inbox());
        let begun_with = progress.delivered();
        subscription.meter().follow(&progress);
        let tasks = StreamTasks::here(actor.tasks().clone());
        let in_place = InPlace::start(tasks, delivery.run(subscription, done), is_short_turn());
        inbox.run_in_place(in_place);
        Self {
            actor: Arc::clone(actor),
            inbox,
            progress,
            delivered,
            end: None,
            begun_with,
            trace,
            is_detached: false,
        }
    }

    /// The stream.
    pub fn stream_id(&self) -> &StreamId {
        self.inbox.stream_id()
    }

    /// The only actor that may feed it.
    pub fn sender(&self) -> &ActrId {
        self.inbox.sender()
    }

    /// The stream has this many frames; further ones are dropped. Call it before asking for the stream.
    pub fn expect_frames(self, frames: u64) -> Self {
        self.progress.expect(frames);
        self
    }

    /// What has arrived so far.
    pub fn progress(&self) -> StreamProgress {
        self.progress.snapshot()
    }

    /// How many frames of a latency-first stream are missing: see [`Subscription::dropped`].
    pub fn dropped(&self) -> u64 {
        self.inbox.dropped()
    }

    /// Waits until the stream is over and the callback has got its last frame; returns how it ended.
    ///
    /// # Cancel safety
    /// Dropping it has no effect.
    pub async fn ended(&mut self) -> StreamEnd {
        if let Some(end) = &self.end {
            return end.clone();
        }
        let end = match (&mut self.delivered).await {
            Ok(Ok((_, end))) => end,
            Ok(Err(panic)) => StreamEnd::Panicked(panic.into()),
            // The node has stopped, and dropped a callback that was still waiting for something.
            Err(_) => self.inbox.ended().unwrap_or(StreamEnd::Stopped),
        };
        self.end.insert(end).clone()
    }

    /// Ends the stream here, and stops its sender; [`Self::ended`] waits until the callback is done.
    pub fn unregister(&self) {
        self.actor
            .subscriptions()
            .unsubscribe(&self.inbox, StreamEnd::Cancelled);
    }

    /// Lets the callback go on without this, until the stream or the node ends.
    pub fn detach(mut self) {
        self.is_detached = true;
    }

    pub(crate) fn actor(&self) -> &Arc<Actor> {
        &self.actor
    }

    pub(crate) fn inbox(&self) -> &Arc<Inbox> {
        &self.inbox
    }

    /// How many frames had been handed over before this sender's stream.
    pub(crate) fn begun_with(&self) -> u64 {
        self.begun_with
    }

    /// What it is a part of.
    pub(crate) fn trace(&self) -> Option<&TraceContext> {
        self.trace.as_ref()
    }

    pub(crate) fn progress_cell(&self) -> &Arc<ProgressCell> {
        &self.progress
    }

    /// Waits until the stream is over; what handed its frames over may then do so for another sender's.
    pub(crate) async fn delivered(&mut self) -> Result<Delivered, oneshot::error::RecvError> {
        (&mut self.delivered).await
    }
}

impl Drop for StreamRegistration {
    fn drop(&mut self) {
        if !self.is_detached {
            self.unregister();
        }
    }
}
