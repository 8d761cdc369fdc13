use std::sync::Arc;

use actr_lite_wire::identity::{ActrType, StreamId};
use tokio::sync::watch;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::{
    actor::{registration::StreamRegistration, service::Rpc},
    resumable::{
        options::ResumeOptions,
        resume_error::ResumeError,
        supervisor::{Request, Supervisor},
    },
    stream::progress::{ProgressCell, StreamProgress},
};

/// A stream that is requested again, from another server if there is one, when its sender is lost: its callback gets
/// every frame once and in order. Dropping this ends it.
#[must_use = "dropping a resumable stream ends it"]
pub struct ResumableStream {
    stream_id: StreamId,
    progress: Arc<ProgressCell>,
    result: watch::Receiver<Option<Result<(), ResumeError>>>,
    _stop: DropGuard,
}

impl StreamRegistration {
    /// Makes the stream outlive its sender. If that is lost, or a frame is missing, `request` is sent again, with
    /// the number of the last frame that arrived, to another server of this type if there is one.
    ///
    /// The sender must have agreed to send the stream. How many frames it has should be known
    /// ([`Self::expect_frames`]): otherwise the sender's word that it has finished is believed.
    pub fn resume_with<R: Rpc>(self, server_type: &ActrType, request: R, options: ResumeOptions) -> ResumableStream {
        let actor = Arc::clone(self.actor());
        let (stream_id, progress) = (self.stream_id().clone(), Arc::clone(self.progress_cell()));
        let (sender, result) = watch::channel(None);
        let stop = CancellationToken::new();
        let stream = ResumableStream {
            stream_id,
            progress,
            result,
            _stop: stop.clone().drop_guard(),
        };
        let request = Request {
            server_type: server_type.clone(),
            route: R::ROUTE,
            payload: request.encode_to_vec().into(),
        };
        let end = actor.tasks().stop().clone();
        let supervisor = Supervisor::new(self, request, options);
        let supervised = async move {
            tokio::select! {
                result = supervisor.run() => drop(sender.send(Some(result))),
                () = stop.cancelled() => {}
                () = end.cancelled() => {}
            }
        };
        actor.tasks().spawn_runtime("a resumable stream", Box::pin(supervised));
        stream
    }
}

impl ResumableStream {
    /// The stream.
    pub fn stream_id(&self) -> &StreamId {
        &self.stream_id
    }

    /// What has come of it so far.
    pub fn progress(&self) -> StreamProgress {
        self.progress.snapshot()
    }

    /// Waits until the callback has got every frame, or until that is no longer possible.
    ///
    /// # Errors
    /// [`ResumeError`] says why frames are missing.
    ///
    /// # Cancel safety
    /// Dropping it has no effect.
    pub async fn ended(&self) -> Result<(), ResumeError> {
        match self.result.clone().wait_for(Option::is_some).await {
            Ok(result) => result.clone().unwrap_or(Err(ResumeError::Stopped)),
            Err(_) => Err(ResumeError::Stopped),
        }
    }
}
