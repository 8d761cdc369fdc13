//! The server that is measured: the shipped one's service, for messages of any length.

use std::{fmt::Write as _, sync::Arc};

use actr_lite::{ActrError, Context, SendError, Service, StreamId, StreamSender, Workload};
use protos::stream_server::{
    RegisterStreamRequest, RegisterStreamResponse, StreamServerDispatcher, StreamServerHandler,
};

/// The metadata of a registration that asks for messages of at least this many bytes: the text is padded.
pub const MESSAGE_BYTES: &str = "message-bytes";

/// The most bytes that [`MESSAGE_BYTES`] may ask for: well below what a record may have.
const MAX_MESSAGE_BYTES: usize = 1 << 20;

/// Room for the usual text, so that its buffer does not grow under the first message.
const TEXT_ROOM: usize = 128;

/// Sends streams as fast as they are taken.
pub struct BenchServer;

impl Workload for BenchServer {
    fn services(self: Arc<Self>) -> Vec<Arc<dyn Service>> {
        vec![Arc::new(StreamServerDispatcher::new(self))]
    }
}

impl StreamServerHandler for BenchServer {
    async fn register_stream(
        &self,
        request: RegisterStreamRequest,
        ctx: Context,
    ) -> Result<RegisterStreamResponse, ActrError> {
        let stream_id: StreamId = request.stream_id.parse()?;
        let count = protos::frame_count(request.message_count)?;
        let message_bytes = message_bytes(ctx.metadata(MESSAGE_BYTES))?;
        let stream = ctx.open_stream_to_caller(stream_id.clone()).await?;
        ctx.spawn(push(stream, count, message_bytes));
        Ok(RegisterStreamResponse {
            success: true,
            message: format!("Stream {stream_id} registered successfully"),
        })
    }
}

async fn push(mut stream: StreamSender, count: u64, message_bytes: usize) -> Result<(), SendError> {
    let (stream_id, filling) = (stream.stream_id().clone(), "x".repeat(message_bytes));
    let mut text = String::with_capacity(TEXT_ROOM.max(filling.len()));
    for number in stream.next_sequence()..=count {
        text.clear();
        // Writing to a string can't fail.
        let _ = write!(text, "[server] Stream message {number} for {stream_id}");
        if let Some(filling) = filling.get(text.len()..) {
            text.push_str(filling);
        }
        stream.send(&text).await?;
    }
    stream.finish().await
}

fn message_bytes(value: Option<&str>) -> Result<usize, ActrError> {
    let Some(value) = value else { return Ok(0) };
    let bytes = value.parse().ok().filter(|bytes| *bytes <= MAX_MESSAGE_BYTES);
    bytes.ok_or_else(|| {
        let message = format!("{MESSAGE_BYTES} is {value:?}, but must be a number from 0 to {MAX_MESSAGE_BYTES}");
        ActrError::invalid_argument(message)
    })
}
