//! Streams that outlive their senders.

mod attempt;
mod progress;
mod request;
mod resume_error;
mod setback;
mod supervisor;

use std::sync::Arc;

use actr_lite_wire::{
    frame::DataStream,
    identity::{ActrId, StreamId},
};
use tokio::sync::watch;
use tokio_util::sync::{CancellationToken, DropGuard};

pub use self::{
    progress::ResumeProgress,
    request::{Asking, ResumableRequest},
    resume_error::ResumeError,
};
use self::{
    progress::Shared,
    supervisor::{Life, Supervisor},
};
use crate::Context;

/// A stream of a known number of frames that is asked for again, from another server if there is one, when its sender
/// is lost: its callback gets every frame once and in order. Dropping this ends it.
pub struct ResumableStream {
    shared: Arc<Shared>,
    life: watch::Receiver<Life>,
    _stop: DropGuard,
}

impl ResumableStream {
    /// Asks a server for the stream; returns when one has agreed.
    pub(crate) async fn start<A, Asked, F, Fut>(
        ctx: &Context,
        request: ResumableRequest,
        ask: A,
        callback: F,
    ) -> Result<Self, ResumeError>
    where
        A: Fn(Asking) -> Asked + Send + Sync + 'static,
        Asked: Future<Output = Result<(), crate::ActrError>> + Send + 'static,
        F: FnMut(DataStream, &ActrId) -> Fut + Send + 'static,
        Fut: Future<Output = ()> + Send,
    {
        let shared = Arc::new(Shared::new(&request));
        let (sender, mut life) = watch::channel(Life::Starting);
        let stop = CancellationToken::new();
        let stream = Self {
            shared: Arc::clone(&shared),
            life: life.clone(),
            _stop: stop.clone().drop_guard(),
        };
        let tasks = ctx.node().tasks();
        let end = tasks.stop().clone();
        let supervisor = Supervisor::new(ctx.clone(), request, ask, callback, shared, sender);
        let supervised = async move {
            tokio::select! {
                () = supervisor.run() => {}
                () = stop.cancelled() => {}
                () = end.cancelled() => {}
            }
        };
        tasks.spawn_runtime("a resumable stream", Box::pin(supervised));
        let begun = life.wait_for(|life| !matches!(life, Life::Starting)).await;
        match begun.map(|life| life.clone()) {
            Ok(Life::Over {
                was_live: false,
                result: Err(error),
            }) => Err(error),
            Ok(_) => Ok(stream),
            Err(_) => Err(ResumeError::Stopped),
        }
    }

    /// The stream.
    pub fn stream_id(&self) -> &StreamId {
        &self.shared.stream_id
    }

    /// What has come of it so far.
    pub fn progress(&self) -> ResumeProgress {
        self.shared.progress()
    }

    /// Waits until the callback has had every frame, or until that can't be any more.
    ///
    /// # Errors
    /// [`ResumeError`] says why frames are missing.
    ///
    /// # Cancel safety
    /// Dropping it has no effect.
    pub async fn ended(&mut self) -> Result<(), ResumeError> {
        match self.life.wait_for(|life| matches!(life, Life::Over { .. })).await {
            Ok(life) => match &*life {
                Life::Over { result, .. } => result.clone(),
                Life::Starting | Life::Live => Err(ResumeError::Stopped),
            },
            Err(_) => Err(ResumeError::Stopped),
        }
    }
}
