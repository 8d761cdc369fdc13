use std::sync::Arc;

use actr_lite::{ActrError, ActrType, Context, ResumableStream, ResumeOptions, Service, Workload, random_stream_id};
use protos::{
    stream_client::{LocalStreamServiceDispatcher, LocalStreamServiceHandler, StartStreamRequest, StartStreamResponse},
    stream_server::RegisterStreamRequest,
};
use tokio::sync::mpsc;
use tracing::{debug, info};

/// Up to this many messages, each one is logged at info; more would bury the rest of the log.
pub(crate) const MAX_LOGGED: u64 = 100;

/// The client's own service. Only this process may call it: its proto is not in `exports`.
pub(crate) struct LocalStreamService {
    server_type: ActrType,
    resume: ResumeOptions,
    streams: mpsc::Sender<ResumableStream>,
}

impl LocalStreamService {
    /// `resume` says how long a stream may be without frames. The receiver gets each stream that a server has agreed to send.
    pub(crate) fn new(server_type: &ActrType, resume: ResumeOptions) -> (Self, mpsc::Receiver<ResumableStream>) {
        let (streams, started) = mpsc::channel(1);
        let service = Self {
            server_type: server_type.clone(),
            resume,
            streams,
        };
        (service, started)
    }
}

impl Workload for LocalStreamService {
    fn services(self: Arc<Self>) -> Vec<Arc<dyn Service>> {
        vec![Arc::new(LocalStreamServiceDispatcher::new(self))]
    }
}

impl LocalStreamServiceHandler for LocalStreamService {
    async fn start_stream(&self, request: StartStreamRequest, ctx: Context) -> Result<StartStreamResponse, ActrError> {
        let count = protos::frame_count(request.message_count)?;
        let stream_id = random_stream_id();
        // 1. Discover a server.
        let server = ctx.discover(&self.server_type).await?;
        // 2. Register the callback before asking: only this server may feed it.
        let stream = ctx
            .register_stream(stream_id.clone(), &server, move |frame| match count {
                ..=MAX_LOGGED => info!("Received: {}", frame.text()),
                _ => debug!("Received: {}", frame.text()),
            })?
            .expect_frames(count);
        let message = format!("Stream {stream_id} registered and ready to receive messages");
        info!(stream = %stream_id, peer = %server, "{message}; asking for it");
        // 3. Ask for the stream.
        let ask = RegisterStreamRequest {
            stream_id: stream_id.into(),
            message_count: request.message_count,
        };
        let answer = ctx.call(&server, ask.clone()).await?;
        if !answer.success {
            return Err(ActrError::unavailable(answer.message));
        }
        // 4. If that server is lost, another of its type sends the rest.
        let stream = stream.resume_with(&self.server_type, ask, self.resume);
        self.streams.send(stream).await.map_err(ActrError::internal)?;
        Ok(StartStreamResponse { success: true, message })
    }
}
