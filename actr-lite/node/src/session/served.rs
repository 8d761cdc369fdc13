use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use actr_lite_wire::{
    envelope::{Envelope, ErrorReply},
    error_code::ErrorCode,
    record::RecordKind,
    websocket::CloseCode,
};
use bytes::Bytes;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use super::Session;
use crate::{ActrError, Context, context::Call};

/// The most calls of one peer that are served at once: each is a task with whatever its handler holds.
const MAX_SERVED_CALLS: usize = 4096;

/// How long a handler of a message without an answer may take: nobody else bounds it.
const TELL_TIMEOUT: Duration = Duration::from_secs(300);

/// The peer's calls that are being served.
#[derive(Default)]
pub(super) struct ServedCalls(Mutex<HashMap<String, CancellationToken>>);

impl ServedCalls {
    fn lock(&self) -> MutexGuard<'_, HashMap<String, CancellationToken>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The caller no longer waits.
    pub(super) fn cancel(&self, request_id: &str) {
        if let Some(cancelled) = self.lock().get(request_id) {
            cancelled.cancel();
        }
    }

    /// The connection is gone: nobody waits any more.
    pub(super) fn cancel_all(&self) {
        for cancelled in self.lock().values() {
            cancelled.cancel();
        }
    }
}

/// One served call's place.
struct Serving {
    session: Arc<Session>,
    request_id: String,
}

impl Drop for Serving {
    fn drop(&mut self) {
        self.session.served.lock().remove(&self.request_id);
    }
}

/// A request as it came.
pub(super) struct Request {
    pub(super) request_id: String,
    pub(super) route: String,
    pub(super) payload: Bytes,
    pub(super) metadata: Vec<(String, String)>,
    pub(super) timeout: Duration,
}

impl Session {
    /// Serves a request in a task of its own, and answers it whatever happens.
    pub(super) fn serve(self: &Arc<Self>, request: Request) {
        let cancelled = CancellationToken::new();
        {
            let mut served = self.served.lock();
            if served.contains_key(&request.request_id) {
                debug!("{} repeated request {}", self.peer, request.request_id);
                return;
            }
            if served.len() >= MAX_SERVED_CALLS {
                drop(served);
                self.refuse(request);
                return;
            }
            served.insert(request.request_id.clone(), cancelled.clone());
        }
        let serving = Serving {
            session: Arc::clone(self),
            request_id: request.request_id.clone(),
        };
        let session = Arc::clone(self);
        let Request {
            request_id,
            route,
            payload,
            metadata,
            timeout: patience,
        } = request;
        self.node.tasks().spawn_work(format!("serving {route}"), async move {
            let _serving = serving;
            let dispatch = session.dispatch(&route, payload, metadata);
            let result = tokio::select! {
                biased;
                () = cancelled.cancelled() => return,
                result = timeout(patience, dispatch) => result.unwrap_or_else(|_| {
                    let message = format!("{route} was not done within the caller's timeout");
                    Err(ErrorReply { code: ErrorCode::TimedOut, message })
                }),
            };
            if let Err(error) = &result {
                debug!("{route}, called by {}, failed: {error}", session.peer);
            }
            session.reply(request_id, route, result).await;
        });
    }

    async fn reply(&self, request_id: String, route_key: String, result: Result<Bytes, ErrorReply>) {
        let response = |result| Envelope::Response {
            request_id: request_id.clone(),
            route_key: route_key.clone(),
            result,
        };
        let sent = match self.send_envelope(response(result)).await {
            Err(error @ ActrError::TooLong { .. }) => {
                warn!("the response of {route_key} cannot be sent: {error}");
                self.send_envelope(response(Err(error.to_reply()))).await
            }
            sent => sent,
        };
        if let Err(error) = sent {
            debug!("the answer to {route_key} was not sent: {error}");
        }
    }

    /// Serves a message without an answer.
    pub(super) fn serve_tell(self: &Arc<Self>, route: String, payload: Bytes, metadata: Vec<(String, String)>) {
        if self.node.tasks().work_count() >= MAX_SERVED_CALLS {
            warn!(
                "a tell of {} to {route} was dropped: {MAX_SERVED_CALLS} handlers run already",
                self.peer
            );
            return;
        }
        let session = Arc::clone(self);
        self.node.tasks().spawn_work(format!("serving {route}"), async move {
            let result = timeout(TELL_TIMEOUT, session.dispatch(&route, payload, metadata)).await;
            match result {
                Ok(Ok(_)) => {}
                Ok(Err(error)) => warn!("{route}, told by {}, failed: {error}", session.peer),
                Err(_) => warn!("{route}, told by {}, was given up after {TELL_TIMEOUT:?}", session.peer),
            }
        });
    }

    async fn dispatch(
        self: &Arc<Self>,
        route: &str,
        payload: Bytes,
        metadata: Vec<(String, String)>,
    ) -> Result<Bytes, ErrorReply> {
        if self.node.draining().is_cancelled() {
            return Err(ActrError::Stopping.to_reply());
        }
        let call = Call {
            session: Arc::clone(self),
            metadata,
        };
        let ctx = Context::new(Arc::clone(&self.node), Some(call));
        self.node
            .router()
            .dispatch_remote(route, payload, &self.peer, ctx)
            .await
            .map_err(|error| error.to_reply())
    }

    /// There is no room for another task, so the answer can't wait for room on the lane either.
    fn refuse(&self, request: Request) {
        let reply = ActrError::Busy {
            what: "calls of one peer",
            limit: MAX_SERVED_CALLS,
        }
        .to_reply();
        let response = Envelope::Response {
            request_id: request.request_id,
            route_key: request.route,
            result: Err(reply),
        };
        if self
            .lane
            .try_send(RecordKind::RpcReliable, &[], &response.encode())
            .is_err()
        {
            self.close(
                CloseCode::POLICY_VIOLATION,
                "too many calls at once, and their answers are not read",
            );
        }
    }
}
