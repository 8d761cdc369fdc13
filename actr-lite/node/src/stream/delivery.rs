use std::{future::Future, sync::Arc};

use actr_lite_wire::frame::DataStream;
use futures_util::{FutureExt as _, future::BoxFuture};
use tokio::sync::oneshot;
use tracing::error;

use crate::{
    stream::{
        progress::{ProgressCell, Tally},
        stream_end::StreamEnd,
        subscription::Subscription,
    },
    tasks::contain,
};

/// Hands a stream's frames over. It moves from one sender's stream to the next one's, so that nothing is shared
/// between the two.
pub(crate) trait Delivery: Send {
    /// Hands frames over until this sender's stream is over, and passes itself on.
    fn run(self: Box<Self>, subscription: Subscription, done: oneshot::Sender<Delivered>) -> BoxFuture<'static, ()>;
}

/// The delivery of one sender's stream and how the stream ended; or the panic of its callback.
pub(crate) type Delivered = Result<(Box<dyn Delivery>, StreamEnd), String>;

/// A callback, and the count of what it got.
pub(crate) struct CallbackDelivery<F> {
    callback: F,
    progress: Arc<ProgressCell>,
}

impl<F, Fut> CallbackDelivery<F>
where
    F: FnMut(DataStream) -> Fut + Send + 'static,
    Fut: Future<Output = ()> + Send,
{
    pub(crate) fn new(callback: F, progress: Arc<ProgressCell>) -> Self {
        Self { callback, progress }
    }
}

impl<F, Fut> Delivery for CallbackDelivery<F>
where
    F: FnMut(DataStream) -> Fut + Send + 'static,
    Fut: Future<Output = ()> + Send,
{
    fn run(
        mut self: Box<Self>,
        mut subscription: Subscription,
        done: oneshot::Sender<Delivered>,
    ) -> BoxFuture<'static, ()> {
        let stream_id = subscription.stream_id().clone();
        // In one block, as each `async fn` around it would hold its arguments twice.
        let delivered = contain(async move {
            let progress = Arc::clone(&self.progress);
            let server = subscription.sender().clone();
            let mut tally = Tally::new(&progress, &server);
            while let Some(frame) = subscription.next().await {
                tally.set_duplicates(subscription.duplicates());
                if !tally.is_wanted() {
                    continue;
                }
                let counted = tally.begin(&frame);
                (self.callback)(frame).await;
                tally.count(counted);
            }
            tally.set_duplicates(subscription.duplicates());
            let end = subscription.end().unwrap_or(StreamEnd::Cancelled);
            (self as Box<dyn Delivery>, end)
        });
        Box::pin(delivered.map(move |delivered| {
            if let Err(panic) = &delivered {
                error!(stream = %stream_id, reason = %panic, "the callback panicked: the stream is unregistered");
            }
            // Nobody waits for it if the registration was dropped.
            let _ = done.send(delivered);
        }))
    }
}
