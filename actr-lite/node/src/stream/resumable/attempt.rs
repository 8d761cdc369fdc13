use std::{
    fmt,
    sync::{Arc, atomic::Ordering::Relaxed},
};

use actr_lite_wire::{
    frame::DataStream,
    identity::ActrId,
    resume::{Observed, Resume},
};
use tokio::sync::oneshot;

use super::{ResumeError, progress::Shared};
use crate::{
    lane::Closing,
    node_state::NodeState,
    stream::{InPlace, Inbox, StreamEnd, Subscription},
    tasks::contain,
};

/// What hands frames over. It goes from one attempt to the next.
pub(super) struct Delivery<F> {
    pub(super) resume: Resume,
    callback: F,
    shared: Arc<Shared>,
}

/// One server's stream, from before it is asked for to its end.
pub(super) struct Attempt<F> {
    node: Arc<NodeState>,
    inbox: Arc<Inbox>,
    resumes: u64,
    outcome: oneshot::Receiver<Result<(Delivery<F>, Break), String>>,
}

/// What handed frames over, and how the stream ended.
pub(super) type AttemptEnd<F> = Result<(Delivery<F>, Break), ResumeError>;

/// How a server's stream ended.
#[derive(Debug, Clone)]
pub(super) enum Break {
    /// As the stream itself says.
    Ended(StreamEnd),
    /// Frames are missing within it.
    Gap { expected: u64, came: u64 },
    /// The server shuts down, and there is another one.
    Leaving(ActrId),
}

impl fmt::Display for Break {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ended(end) => end.fmt(f),
            Self::Leaving(server) => write!(f, "{server} is shutting down"),
            Self::Gap { expected, came } => write!(f, "frame {came} came where frame {expected} should"),
        }
    }
}

impl<F, Fut> Delivery<F>
where
    F: FnMut(DataStream, &ActrId) -> Fut + Send + 'static,
    Fut: Future<Output = ()> + Send,
{
    pub(super) fn new(resume: Resume, callback: F, shared: Arc<Shared>) -> Self {
        Self {
            resume,
            callback,
            shared,
        }
    }

    /// Hands over what is new, until the stream ends or a frame is missing.
    async fn run(mut self, mut subscription: Subscription) -> (Self, Break) {
        let mut is_first = true;
        let gap = loop {
            let Some(frame) = subscription.next().await else {
                break None;
            };
            let came = frame.sequence;
            match self.resume.observe(came) {
                Observed::Deliver => {}
                Observed::Duplicate => {
                    self.shared.duplicates.store(self.resume.duplicates(), Relaxed);
                    continue;
                }
                Observed::Surplus => continue,
                Observed::Gap { expected } => break Some(Break::Gap { expected, came }),
            }
            let Some(sender) = subscription.sender() else { continue };
            if std::mem::take(&mut is_first) {
                self.shared.add_server(sender);
            }
            (self.callback)(frame, sender).await;
            // One writer, so a plain store does.
            self.shared.delivered.store(self.resume.delivered(), Relaxed);
            if self.resume.is_complete() {
                self.shared.complete.cancel();
            }
        };
        let ended = Break::Ended(subscription.end().unwrap_or(StreamEnd::Cancelled));
        (self, gap.unwrap_or(ended))
    }
}

impl<F, Fut> Attempt<F>
where
    F: FnMut(DataStream, &ActrId) -> Fut + Send + 'static,
    Fut: Future<Output = ()> + Send,
{
    /// Makes everything ready for frames: it is to be asked for after that.
    pub(super) fn start(node: &Arc<NodeState>, subscription: Subscription, delivery: Delivery<F>) -> Self {
        let (done, outcome) = oneshot::channel();
        let resumes = delivery.resume.resumes() + u64::from(delivery.resume.was_live());
        let inbox = Arc::clone(subscription.inbox());
        let in_place = InPlace::start(Arc::clone(node), async move {
            // Nobody waits for it when the stream was dropped meanwhile.
            let _ = done.send(contain(delivery.run(subscription)).await);
        });
        inbox.run_in_place(in_place);
        Self {
            node: Arc::clone(node),
            inbox,
            resumes,
            outcome,
        }
    }

    /// How many times a server has taken over, if this one agrees.
    pub(super) fn resumes(&self) -> u64 {
        self.resumes
    }

    /// Waits until the stream is over and the callback has had its last frame.
    pub(super) async fn ended(&mut self) -> AttemptEnd<F> {
        match (&mut self.outcome).await {
            Ok(Ok(outcome)) => Ok(outcome),
            Ok(Err(panic)) => Err(ResumeError::Panicked(panic)),
            Err(_) => Err(ResumeError::Stopped),
        }
    }

    /// Makes sure that nothing of a stream that is not whole comes any more. A sender that knows no cancel goes on over its
    /// connection, and what it sends would be taken for the next attempt's: so the connection goes.
    pub(super) fn retire(&self, delivery: &Delivery<F>) {
        if let Some(session) = self.inbox.source()
            && !session.lane().has_control()
            && !delivery.resume.is_complete()
        {
            session.close(Closing::Uncancellable);
        }
    }

    /// Ends it here, which stops its sender, and waits until the callback is done.
    pub(super) async fn give_up(&mut self) -> Result<Delivery<F>, ResumeError> {
        self.node.unsubscribe(&self.inbox, StreamEnd::Cancelled);
        self.ended().await.map(|(delivery, _)| delivery)
    }
}

impl<F> Drop for Attempt<F> {
    fn drop(&mut self) {
        self.node.unsubscribe(&self.inbox, StreamEnd::Cancelled);
    }
}
