use std::{
    iter,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use actr_lite::{
    ActrError, ActrId, ActrType, CallOptions, Context, Dest, ErrorCode, Service, StreamId, StreamRegistration, Workload,
};
use protos::{
    stream_client::{LocalStreamServiceDispatcher, LocalStreamServiceHandler, StartStreamRequest, StartStreamResponse},
    stream_server::RegisterStreamRequest,
};
use rand::RngExt as _;
use tokio::time::{sleep, timeout};
use tracing::{debug, info};

use crate::reception::{Receiver, Reception};

/// The length of a stream's id, and what it is made of.
const STREAM_ID_LEN: usize = 8;
const STREAM_ID_CHARS: &[u8] = b"abcdefghijklmnopqrstuvwxyz0123456789";

/// How long to wait before a server is looked for again: a person notices no more than that, and the registry does
/// not notice a few questions a second.
const RETRY_WAIT: Duration = Duration::from_millis(250);

/// How often the log says what is being waited for.
const TELL_EVERY: Duration = Duration::from_secs(5);

/// The client's own service. Nobody but this process may call it: its proto is not in `exports`.
pub(crate) struct LocalStreamService {
    server_type: ActrType,
    patience: Duration,
    reception: Arc<Reception>,
    started: Arc<Mutex<Option<Started>>>,
}

/// A stream that a server has agreed to send.
#[derive(Clone)]
pub(crate) struct Started {
    pub(crate) stream_id: StreamId,
    pub(crate) at: Instant,
    pub(crate) registration: StreamRegistration,
}

impl LocalStreamService {
    /// `patience` bounds the time from the request to a live stream; `reception` counts what arrives; `started`
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

    /// Asks one server for the stream. The callback is registered before the server hears of it.
    async fn ask(
        &self,
        server: &ActrId,
        message_count: i32,
        left: Duration,
        ctx: &Context,
    ) -> Result<StreamId, ActrError> {
        let stream_id = random_stream_id()?;
        let expected = message_count.unsigned_abs().into();
        let mut receiver = Receiver::new(Arc::clone(&self.reception), expected);
        let registration = ctx.register_stream(stream_id.clone(), move |frame, sender| {
            receiver.take(&frame, sender);
            std::future::ready(())
        })?;
        registration.expect_from(server);
        let unregister = Unregister {
            ctx,
            stream_id: Some(stream_id.clone()),
        };
        let at = Instant::now();
        let request = RegisterStreamRequest {
            stream_id: stream_id.to_string(),
            message_count,
        };
        let options = CallOptions {
            timeout: left,
            ..CallOptions::default()
        };
        let response = ctx.call_with(&Dest::actor(server.clone()), request, options).await?;
        if !response.success {
            let message = format!("{server} does not send the stream: {}", response.message);
            return Err(ActrError::new(ErrorCode::Unavailable, message));
        }
        debug!("{server}: {}", response.message);
        unregister.keep();
        let started = Started {
            stream_id: stream_id.clone(),
            at,
            registration,
        };
        *self.started.lock().unwrap_or_else(PoisonError::into_inner) = Some(started);
        Ok(stream_id)
    }
}

impl LocalStreamService {
    fn not_found_in_time(&self) -> ActrError {
        let (actr_type, patience) = (&self.server_type, self.patience);
        ActrError::new(
            ErrorCode::TimedOut,
            format!("no server of type {actr_type} was found within {patience:?}: the registry does not answer"),
        )
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
        let begin = Instant::now();
        let mut told: Option<Instant> = None;
        loop {
            let left = || self.patience.saturating_sub(begin.elapsed());
            let attempt = async {
                let found = timeout(left(), ctx.discover(&self.server_type)).await;
                let server = found.unwrap_or_else(|_| Err(self.not_found_in_time()))?;
                self.ask(&server, message_count, left(), &ctx).await
            };
            let error = match attempt.await {
                Ok(stream_id) => {
                    let message = format!("Stream {stream_id} registered and ready to receive messages");
                    return Ok(StartStreamResponse { success: true, message });
                }
                Err(error) => error,
            };
            if !may_pass(&error) || begin.elapsed() + RETRY_WAIT >= self.patience {
                return Err(error);
            }
            if told.is_none_or(|told| told.elapsed() >= TELL_EVERY) {
                told = Some(Instant::now());
                info!("waiting for a server of type {}: {error}", self.server_type);
            }
            sleep(RETRY_WAIT).await;
        }
    }
}

/// Whether another try may go better: a server may come up, a contract does not change by itself.
fn may_pass(error: &ActrError) -> bool {
    match error {
        ActrError::Discover(error) => error.is_transient(),
        ActrError::Registry(_) | ActrError::Unreachable { .. } | ActrError::PeerGone { .. } => true,
        ActrError::Remote { reply, .. } => reply.code == ErrorCode::Unavailable,
        _ => false,
    }
}

/// Takes the callback back if the server does not agree.
struct Unregister<'a> {
    ctx: &'a Context,
    stream_id: Option<StreamId>,
}

impl Unregister<'_> {
    fn keep(mut self) {
        self.stream_id = None;
    }
}

impl Drop for Unregister<'_> {
    fn drop(&mut self) {
        if let Some(stream_id) = &self.stream_id {
            self.ctx.unregister_stream(stream_id);
        }
    }
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
