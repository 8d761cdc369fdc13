use std::{sync::Arc, time::Duration};

use actr_lite::{ActrError, Context, SendError, Service, StreamId, StreamSender, Workload};
use protos::stream_server::{
    RegisterStreamRequest, RegisterStreamResponse, StreamServerDispatcher, StreamServerHandler,
};
use tracing::info;

/// The actor: it answers a registration at once, and pushes the stream from a background task.
pub(crate) struct EchoServer {
    interval: Option<Duration>,
}

impl EchoServer {
    /// `interval` is the pause between two messages of a stream.
    pub(crate) fn new(interval: Option<Duration>) -> Self {
        Self { interval }
    }
}

impl Workload for EchoServer {
    fn services(self: Arc<Self>) -> Vec<Arc<dyn Service>> {
        vec![Arc::new(StreamServerDispatcher::new(self))]
    }

    async fn on_stop(&self, _ctx: Context) -> Result<(), ActrError> {
        info!("server stopped");
        Ok(())
    }
}

impl StreamServerHandler for EchoServer {
    async fn register_stream(
        &self,
        request: RegisterStreamRequest,
        ctx: Context,
    ) -> Result<RegisterStreamResponse, ActrError> {
        let stream_id: StreamId = request.stream_id.parse()?;
        let count = protos::frame_count(request.message_count)?;
        // Opened before the answer, so that success means that there is a stream. A resumed one goes on where it broke.
        let stream = ctx.open_stream_to_caller(stream_id.clone()).await?.expect_frames(count);
        ctx.spawn(push(stream, count, self.interval));
        Ok(RegisterStreamResponse {
            success: true,
            message: format!("Stream {stream_id} registered successfully"),
        })
    }
}

/// Sends the messages up to number `count`, and finishes the stream.
async fn push(mut stream: StreamSender, count: u64, interval: Option<Duration>) -> Result<(), SendError> {
    let (stream_id, first) = (stream.stream_id().clone(), stream.next_sequence());
    let frames = (count + 1).saturating_sub(first);
    info!(stream = %stream_id, peer = %stream.receiver(), frames, "sending {frames} frames");
    for number in first..=count {
        if let Some(interval) = interval.filter(|_| number > first) {
            stream.pause(interval).await?;
        }
        stream
            .send(format!("[server] Stream message {number} for {stream_id}"))
            .await?;
    }
    info!(stream = %stream_id, frames = count, "all {count} frames sent");
    stream.finish().await
}
