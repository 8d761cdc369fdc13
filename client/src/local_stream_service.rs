use std::{
    iter,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use actr_lite::{
    ActrError, ActrId, ActrType, Asking, Context, DataStream, ErrorCode, ResumableRequest, ResumableStream,
    ResumeError, Service, StreamId, Workload,
};
use protos::{
    stream_client::{LocalStreamServiceDispatcher, LocalStreamServiceHandler, StartStreamRequest, StartStreamResponse},
    stream_server::RegisterStreamRequest,
};
use rand::RngExt as _;
use tracing::{debug, info};

use crate::reception::{Receiver, Reception};

/// The length of a stream's id, and what it is made of.
const STREAM_ID_LEN: usize = 8;
const STREAM_ID_CHARS: &[u8] = b"abcdefghijklmnopqrstuvwxyz0123456789";

/// The client's own service. Nobody but this process may call it: its proto is not in `exports`.
pub(crate) struct LocalStreamService {
    server_type: ActrType,
    patience: Duration,
    reception: Arc<Reception>,
    started: Arc<Mutex<Option<Started>>>,
}

/// A stream that a server has agreed to send.
pub(crate) struct Started {
    /// When it was asked for.
    pub(crate) at: Instant,
    pub(crate) stream: ResumableStream,
}

impl LocalStreamService {
    /// `patience` bounds the time without a live stream; `reception` counts what arrives; `started`
    /// holds the stream as soon as there is one.
    pub(crate) fn new(
        server_type: ActrType,
        patience: Duration,
        reception: Arc<Reception>,
        started: Arc<Mutex<Option<Started>>>,
    ) -> Self {
        Self {
            server_type,
            patience,
            reception,
            started,
        }
    }
}

impl Workload for LocalStreamService {
    fn services(self: Arc<Self>) -> Vec<Arc<dyn Service>> {
        vec![Arc::new(LocalStreamServiceDispatcher::new(self))]
    }

    async fn on_stop(&self, _ctx: Context) -> Result<(), ActrError> {
        debug!("client stopped");
        Ok(())
    }
}

impl LocalStreamServiceHandler for LocalStreamService {
    async fn start_stream(&self, request: StartStreamRequest, ctx: Context) -> Result<StartStreamResponse, ActrError> {
        let message_count = request.message_count;
        if message_count < 0 {
            let message = format!("message_count is {message_count}, but must be 0 or more");
            return Err(ActrError::invalid_argument(message));
        }
        let stream_id = random_stream_id()?;
        let request = ResumableRequest {
            stream_id: stream_id.clone(),
            server_type: self.server_type.clone(),
            frames: message_count.unsigned_abs().into(),
            patience: self.patience,
        };
        let mut receiver = Receiver::new(Arc::clone(&self.reception), request.frames);
        let callback = move |frame: DataStream, _: &ActrId| {
            receiver.take(&frame);
            std::future::ready(())
        };
        let at = Instant::now();
        let asker = (ctx.clone(), stream_id.clone());
        let ask = move |asking: Asking| {
            let (ctx, stream_id) = asker.clone();
            async move { register(&ctx, &stream_id, message_count, asking).await }
        };
        let stream = ctx.receive_resumable(request, ask, callback).await;
        let stream = stream.map_err(ResumeError::into_actr_error)?;
        let message = format!("Stream {stream_id} registered and ready to receive messages");
        *self.started.lock().unwrap_or_else(PoisonError::into_inner) = Some(Started { at, stream });
        Ok(StartStreamResponse { success: true, message })
    }
}

/// Asks one server for the stream.
async fn register(ctx: &Context, stream_id: &StreamId, message_count: i32, asking: Asking) -> Result<(), ActrError> {
    let Asking { dest, options } = asking;
    info!("Stream {stream_id}: its callback is registered; asking {dest} for it");
    let request = RegisterStreamRequest {
        stream_id: stream_id.to_string(),
        message_count,
    };
    let response = ctx.call_with(&dest, request, options).await?;
    if !response.success {
        let message = format!("{dest} does not send the stream: {}", response.message);
        return Err(ActrError::new(ErrorCode::Unavailable, message));
    }
    debug!("{dest}: {}", response.message);
    Ok(())
}

fn random_stream_id() -> Result<StreamId, ActrError> {
    let mut random = rand::rng();
    let id: String = iter::repeat_with(|| STREAM_ID_CHARS[random.random_range(..STREAM_ID_CHARS.len())])
        .take(STREAM_ID_LEN)
        .map(char::from)
        .collect();
    id.parse().map_err(|error| ActrError::internal(format!("{error}")))
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn a_stream_id_is_8_random_lowercase_letters_and_digits() {
        let ids: HashSet<StreamId> = iter::repeat_with(|| random_stream_id().unwrap()).take(1000).collect();
        assert_eq!(ids.len(), 1000);
        for id in ids {
            let fits = id
                .as_str()
                .bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
            assert!(fits && id.as_str().len() == 8, "{id}");
        }
    }
}
