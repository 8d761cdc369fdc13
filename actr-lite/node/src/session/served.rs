use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError, atomic::Ordering},
    time::Duration,
};

use actr_lite_wire::{
    envelope::{Envelope, ErrorReply},
    error_code::ErrorCode,
    record::RecordKind,
};
use bytes::Bytes;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use super::Session;
use crate::{
    ActrError, Context,
    context::Call,
    lane::{Closing, Urgency},
};

/// The most calls of one peer that are served at once: each is a task with whatever its handler holds.
pub(super) const MAX_SERVED_CALLS: usize = 4096;

/// How many bytes the requests of one peer that are being served may have together: sixteen of the longest that the
/// usual record limit allows.
const MAX_SERVED_BYTES: usize = 64 << 20;

/// How long a handler may take where the caller does not say: nobody else bounds it.
const DEFAULT_PATIENCE: Duration = Duration::from_secs(300);

/// The peer's calls that are being served.
#[derive(Default)]
pub(super) struct ServedCalls(Mutex<State>);

#[derive(Default)]
struct State {
    calls: HashMap<String, CancellationToken>,
    bytes: usize,
}

impl ServedCalls {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The caller no longer waits.
    pub(super) fn cancel(&self, request_id: &str) {
        if let Some(cancelled) = self.lock().calls.get(request_id) {
            cancelled.cancel();
        }
    }

    /// The connection is gone: nobody waits any more.
    pub(super) fn cancel_all(&self) {
        for cancelled in self.lock().calls.values() {
            cancelled.cancel();
        }
    }
}

/// One served call's place.
struct Serving {
    session: Arc<Session>,
    request_id: String,
    bytes: usize,
}

impl Drop for Serving {
    fn drop(&mut self) {
        let mut served = self.session.served.lock();
        served.calls.remove(&self.request_id);
        served.bytes -= self.bytes;
    }
}

/// A request as it came.
pub(super) struct Request {
    pub(super) request_id: String,
    pub(super) route: String,
    pub(super) payload: Bytes,
    pub(super) metadata: Vec<(String, String)>,
    /// How long the caller waits; none where nobody does.
    pub(super) timeout: Option<Duration>,
    /// Whether the caller wants an answer.
    pub(super) is_call: bool,
}

impl Session {
    /// Serves a request in a task of its own, and answers it, if it wants that, whatever happens.
    pub(super) fn serve(self: &Arc<Self>, request: Request) {
        let cancelled = CancellationToken::new();
        let bytes = request.payload.len();
        {
            let mut served = self.served.lock();
            if served.calls.contains_key(&request.request_id) {
                debug!("{} repeated request {}", self.peer, request.request_id);
                return;
            }
            // A single request may have any length that a record may have.
            let is_too_much = served.bytes > 0 && served.bytes + bytes > MAX_SERVED_BYTES;
            if served.calls.len() >= MAX_SERVED_CALLS || is_too_much {
                drop(served);
                self.refuse(request);
                return;
            }
            served.calls.insert(request.request_id.clone(), cancelled.clone());
            served.bytes += bytes;
        }
        let serving = Serving {
            session: Arc::clone(self),
            request_id: request.request_id.clone(),
            bytes,
        };
        let session = Arc::clone(self);
        let Request {
            request_id,
            route,
            payload,
            metadata,
            timeout: patience,
            is_call,
        } = request;
        self.node.tasks().spawn_work("a call's task", async move {
            let _serving = serving;
            let call = Arc::new(Call::new(Some(Arc::clone(&session)), metadata));
            let dispatch = session.dispatch(&route, payload, Arc::clone(&call));
            let result = tokio::select! {
                biased;
                // A message without an answer is not cancelled: its sender does not wait anyway.
                () = cancelled.cancelled(), if is_call => return,
                result = timeout(patience.unwrap_or(DEFAULT_PATIENCE), dispatch) => result.unwrap_or_else(|_| {
                    let message = format!("{route} was not done within the caller's timeout");
                    Err(ErrorReply { code: ErrorCode::TimedOut, message })
                }),
            };
            match (&result, is_call) {
                (Ok(_), _) => {}
                (Err(error), true) => debug!("{route}, called by {}, failed: {error}", session.peer),
                (Err(error), false) => warn!("{route}, told by {}, failed: {error}", session.peer),
            }
            if is_call {
                let has_spawned = call.has_spawned.load(Ordering::Relaxed);
                // Nothing of the call is kept while the answer waits for room.
                drop(call);
                session.reply(request_id, route, result, has_spawned).await;
            }
        });
    }

    async fn reply(&self, request_id: String, route_key: String, result: Result<Bytes, ErrorReply>, has_spawned: bool) {
        // What the handler spawned is often a stream: its first frames then leave in the same batch.
        let urgency = if has_spawned { Urgency::NextTurn } else { Urgency::Now };
        let response = |result| Envelope::Response {
            request_id: request_id.clone(),
            route_key: route_key.clone(),
            result,
        };
        let sent = match self.send_envelope(response(result), urgency).await {
            Err(error @ ActrError::TooLong { .. }) => {
                warn!("the response of {route_key} cannot be sent: {error}");
                self.send_envelope(response(Err(error.to_reply())), urgency).await
            }
            sent => sent,
        };
        if let Err(error) = sent {
            debug!("the answer to {route_key} was not sent: {error}");
        }
    }

    async fn dispatch(self: &Arc<Self>, route: &str, payload: Bytes, call: Arc<Call>) -> Result<Bytes, ErrorReply> {
        if self.node.draining().is_cancelled() {
            return Err(ActrError::Stopping.to_reply());
        }
        let ctx = Context::new(Arc::clone(&self.node), Some(call));
        self.node
            .router()
            .dispatch_remote(route, payload, &self.peer, ctx)
            .await
            .map_err(|error| error.to_reply())
    }

    /// There is no room for another task, so the answer can't wait for room on the lane either.
    fn refuse(&self, request: Request) {
        let Request {
            request_id,
            route: route_key,
            is_call,
            ..
        } = request;
        if !is_call {
            warn!(
                "a tell of {} to {route_key} was dropped: too many of its calls are being served",
                self.peer
            );
            return;
        }
        let reply = ActrError::Busy {
            what: "calls of one peer",
            limit: MAX_SERVED_CALLS,
        }
        .to_reply();
        let response = Envelope::Response {
            request_id,
            route_key,
            result: Err(reply),
        };
        if self
            .lane
            .try_send(RecordKind::RpcReliable, Urgency::Now, &[], &response.encode())
            .is_err()
        {
            self.close(Closing::Overwhelmed);
        }
    }
}
