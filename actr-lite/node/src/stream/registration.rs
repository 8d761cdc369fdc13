use std::{future::Future, sync::Arc};

use actr_lite_wire::{
    frame::DataStream,
    identity::{ActrId, StreamId},
};
use tokio::sync::watch;
use tracing::error;

use super::{InPlace, Inbox, StreamEnd, Subscription};
use crate::{node_state::NodeState, tasks::contain};

/// A callback that gets the frames of a stream. Dropping this changes nothing: unregister the stream to end it.
#[derive(Clone)]
pub struct StreamRegistration {
    inbox: Arc<Inbox>,
    ended: watch::Receiver<Option<StreamEnd>>,
}

impl StreamRegistration {
    /// The stream.
    pub fn stream_id(&self) -> &StreamId {
        self.inbox.stream_id()
    }

    /// Takes frames from this actor only, and ends when the connection to it does: see
    /// [`Subscription::expect_from`].
    pub fn expect_from(&self, peer: &ActrId) {
        self.inbox.expect_from(peer.clone());
    }

    /// How many frames of a latency-first stream are missing: see [`Subscription::dropped`].
    pub fn dropped(&self) -> u64 {
        self.inbox.dropped()
    }

    /// Waits until the stream is over and the callback has had its last frame; says how it ended.
    ///
    /// # Cancel safety
    /// Dropping it has no effect.
    pub async fn ended(&mut self) -> StreamEnd {
        match self.ended.wait_for(Option::is_some).await {
            Ok(end) => end.clone().unwrap_or(StreamEnd::Cancelled),
            // The node has stopped, and dropped a callback that was still waiting for something.
            Err(_) => self.inbox.ended().unwrap_or(StreamEnd::Stopped),
        }
    }
}

/// Runs the callback for each frame, one after the other: see [`InPlace`] for where.
pub(crate) fn register<F, Fut>(
    node: &Arc<NodeState>,
    mut subscription: Subscription,
    mut callback: F,
) -> StreamRegistration
where
    F: FnMut(DataStream, &ActrId) -> Fut + Send + 'static,
    Fut: Future<Output = ()> + Send,
{
    let (ended, receiver) = watch::channel(None);
    let registration = StreamRegistration {
        inbox: Arc::clone(subscription.inbox()),
        ended: receiver,
    };
    let state = Arc::clone(node);
    let inbox = Arc::clone(subscription.inbox());
    let in_place = InPlace::start(Arc::clone(node), async move {
        let inbox = Arc::clone(subscription.inbox());
        let result = contain(async move {
            while let Some(frame) = subscription.next().await {
                let Some(sender) = subscription.sender() else { continue };
                callback(frame, sender).await;
            }
        })
        .await;
        if let Err(panic) = result {
            error!(
                "the callback of stream {} panicked: {panic}; the stream is unregistered",
                inbox.stream_id()
            );
            // The panic dropped the subscription, which then ended as if it had been cancelled.
            ended.send_replace(Some(StreamEnd::Panicked(panic.into())));
            return;
        }
        state.unsubscribe(&inbox, StreamEnd::Cancelled);
        ended.send_replace(inbox.ended());
    });
    inbox.run_in_place(in_place);
    registration
}
