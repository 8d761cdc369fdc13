use std::{sync::Arc, time::Duration};

use actr_lite::{ActrError, Context, Dest, RESUME_AFTER, SendError, Service, StreamId, StreamOptions, Workload};
use protos::stream_server::{
    RegisterStreamRequest, RegisterStreamResponse, StreamServerDispatcher, StreamServerHandler,
};
use tracing::info;

use crate::push::Push;

/// The hint, beside a registration, that asks for messages of at least so many bytes: the text is filled up.
pub const MESSAGE_BYTES_HINT: &str = "message-bytes";

/// The most bytes that [`MESSAGE_BYTES_HINT`] may ask for: well below what a record may have.
pub const MAX_MESSAGE_BYTES: usize = 1 << 20;

/// The actor: it answers a registration at once, and pushes the stream from a task of its own.
pub struct EchoServer {
    interval: Option<Duration>,
}

impl EchoServer {
    /// `interval` is what lies between two messages of a stream.
    pub fn new(interval: Option<Duration>) -> Self {
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
        let Some(caller) = ctx.caller_id() else {
            return Err(ActrError::invalid_argument(
                "a stream needs a caller to go to: register it from another node",
            ));
        };
        let stream_id: StreamId = request
            .stream_id
            .parse()
            .map_err(|error| ActrError::invalid_argument(format!("stream_id: {error}")))?;
        let count = u64::try_from(request.message_count).map_err(|_| {
            ActrError::invalid_argument(format!(
                "message_count is {}, but must be 0 or more",
                request.message_count
            ))
        })?;
        let message_bytes = message_bytes(ctx.metadata(MESSAGE_BYTES_HINT))?;
        let resume_after = ctx.resume_after()?;
        if resume_after > count {
            return Err(ActrError::invalid_argument(format!(
                "{RESUME_AFTER} is {resume_after}, but the stream has only {count} frames"
            )));
        }
        let options = StreamOptions {
            resume_after,
            ..StreamOptions::default()
        };
        // Opened before the answer: a caller that hears of success has a stream.
        let dest = Dest::actor(caller.clone());
        let sender = match ctx.open_stream_with(&dest, stream_id.clone(), options).await {
            Ok(sender) => sender,
            Err(ActrError::Send(error @ SendError::AlreadyOpen(_))) => {
                return Ok(RegisterStreamResponse {
                    success: false,
                    message: error.to_string(),
                });
            }
            Err(error) => return Err(error),
        };
        match resume_after {
            0 => info!("stream {stream_id}: sending {count} frames to {caller}"),
            last => info!("stream {stream_id}: sending the frames behind {last} of {count} to {caller}"),
        }
        let frames = resume_after..count;
        ctx.spawn(Push::new(sender, frames, self.interval, message_bytes).run());
        Ok(RegisterStreamResponse {
            success: true,
            message: format!("Stream {stream_id} registered successfully"),
        })
    }
}

fn message_bytes(hint: Option<&str>) -> Result<usize, ActrError> {
    let Some(hint) = hint else { return Ok(0) };
    hint.parse()
        .ok()
        .filter(|bytes| *bytes <= MAX_MESSAGE_BYTES)
        .ok_or_else(|| {
            let message =
                format!("{MESSAGE_BYTES_HINT} is {hint:?}, but must be a number from 0 to {MAX_MESSAGE_BYTES}");
            ActrError::invalid_argument(message)
        })
}
