use std::{
    collections::{HashMap, VecDeque},
    hash::{BuildHasher as _, RandomState},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use actr_lite_quota::Permit;
use actr_lite_wire::{
    envelope::{Envelope, ErrorReply, metadata_cost},
    error_code::ErrorCode,
    peer_text::{PeerText, RawText},
    record::RecordKind,
};
use bytes::Bytes;
use futures_util::future::{AbortHandle, Abortable, Aborted};
use tokio::time::timeout;
use tracing::debug;

use crate::{
    actor::{call::Call, context::Context},
    error::actr_error::ActrError,
    lane::{
        closing::Closing,
        lane::{SendRefused, Urgency},
    },
    session::{answer_hold::AnswerHold, in_use::InUse, request::Request, session::Session},
};

/// How long a handler may take if the caller gives no timeout: nothing else bounds it.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(300);

/// From this length on a payload stays in the message that it came in, if it is most of that; a shorter one is copied, as
/// it would keep the whole message, or the whole buffer of the connection.
const SLICE_FROM: usize = 256 << 10;

/// How many requests of a peer without the extension are remembered when they are done: it may send the first ones again
/// that it makes over a connection.
const MAX_REMEMBERED: usize = 64;

/// The peer's calls that are being served, and the last ones that were.
#[derive(Default)]
pub(crate) struct ServedCalls {
    /// By request id; a message without an answer can't be cancelled.
    serving: Mutex<HashMap<Arc<RawText>, Option<AbortHandle>>>,
    /// The oldest first, as digests, since an id may be as long as a record; empty with a peer that speaks the extension.
    done: Mutex<VecDeque<u64>>,
    /// No peer can choose ids of the same digest.
    digests: RandomState,
}

impl ServedCalls {
    fn lock(&self) -> MutexGuard<'_, HashMap<Arc<RawText>, Option<AbortHandle>>> {
        self.serving.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn done(&self) -> MutexGuard<'_, VecDeque<u64>> {
        self.done.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether this request arrived before and is done.
    fn is_done(&self, request_id: &RawText) -> bool {
        self.done().contains(&self.digests.hash_one(request_id))
    }

    fn remember(&self, request_id: &RawText) {
        let mut done = self.done();
        if done.len() == MAX_REMEMBERED {
            done.pop_front();
        }
        done.push_back(self.digests.hash_one(request_id));
    }

    /// The caller no longer waits.
    pub(crate) fn cancel(&self, request_id: &RawText) {
        let serving = self.lock().get(request_id).cloned();
        if let Some(Some(serving)) = serving {
            serving.abort();
        }
    }

    /// The connection is gone: nobody waits any more.
    pub(crate) fn cancel_all(&self) {
        let all: Vec<_> = self.lock().values().flatten().cloned().collect();
        for serving in all {
            serving.abort();
        }
    }
}

/// One served call's place.
struct Serving {
    session: InUse,
    request_id: Arc<RawText>,
    _places: [Permit; 2],
}

impl Drop for Serving {
    fn drop(&mut self) {
        let served = &self.session.served;
        // First the one and then the other: it is known all the time.
        if !self.session.lane.has_control() {
            served.remember(&self.request_id);
        }
        served.lock().remove(&self.request_id);
    }
}

impl Session {
    /// Serves a request in a task of its own, and answers it, if it wants that, whatever happens.
    pub(crate) fn serve(self: &Arc<Self>, mut request: Request) {
        let Some(session) = self.enter() else {
            // The peer learns that the connection is closed as unused, and makes the call again.
            debug!(
                "{} is closed: request {} is not served",
                self.peer,
                request.request_id.shown()
            );
            return;
        };
        // One task takes the requests of a connection, so no other request comes in between.
        let is_known = self.served.lock().contains_key(&request.request_id)
            || (!self.lane.has_control() && self.served.is_done(&request.request_id));
        if is_known {
            debug!("{} repeated request {}", self.peer, request.request_id.shown());
            return;
        }
        let places = match self.places_for(&mut request) {
            Ok(places) => places,
            Err(error) => return self.refuse(request, &error),
        };
        let (abort, aborted) = AbortHandle::new_pair();
        // A message without an answer is not cancelled: its sender does not wait anyway.
        let abort = request.is_call.then_some(abort);
        self.served.lock().insert(Arc::clone(&request.request_id), abort);
        let serving = Serving {
            session: session.clone(),
            request_id: Arc::clone(&request.request_id),
            _places: places,
        };
        let Request {
            request_id,
            route,
            payload,
            metadata,
            timeout: caller_timeout,
            is_call,
            ..
        } = request;
        let task = async move {
            let _serving = serving;
            let call = Arc::new(Call::new(Some(session.clone()), metadata, caller_timeout));
            let dispatch = session.dispatch(route.as_str(), payload, Arc::clone(&call));
            let dispatch = Abortable::new(dispatch, aborted);
            let result = match timeout(caller_timeout.unwrap_or(DEFAULT_TIMEOUT), dispatch).await {
                Ok(Ok(result)) => result,
                Ok(Err(Aborted)) => return,
                Err(_) => {
                    let route = route.shown();
                    Err(ErrorReply {
                        code: ErrorCode::TimedOut,
                        message: PeerText::of(&format_args!("{route} was not done within the caller's timeout")),
                    })
                }
            };
            call.returned();
            match (&result, is_call) {
                (Ok(_), _) => {}
                (Err(error), true) => debug!("{}, called by {}, failed: {error}", route.shown(), session.peer),
                // A peer can tell as much as it likes: a flood of it must not fill the log.
                (Err(error), false) => session.node.complaints().remark(&format_args!(
                    "{}, told by {}, failed: {error}",
                    route.shown(),
                    session.peer
                )),
            }
            if is_call {
                let hold = call.hold();
                // Nothing of the call is kept while the answer waits for room.
                drop(call);
                session.reply(request_id, route, result, hold).await;
            }
        };
        self.node.tasks().spawn_work("a call's task", Box::pin(task));
    }

    async fn reply(
        &self,
        request_id: Arc<RawText>,
        route_key: RawText,
        result: Result<Bytes, ErrorReply>,
        hold: Option<Arc<AnswerHold>>,
    ) {
        let is_held = hold.as_ref().is_some_and(|hold| hold.is_on());
        let urgency = if is_held { Urgency::Later } else { Urgency::Now };
        let response = |result| Envelope::Response {
            request_id: RawText::clone(&request_id),
            route_key: route_key.clone(),
            result,
        };
        let sent = match self.send_envelope(response(result), urgency).await {
            Err(error @ ActrError::TooLong { .. }) => {
                self.node.complaints().remark(&format_args!(
                    "the response of {} to {} cannot be sent: {error}",
                    route_key.shown(),
                    self.peer
                ));
                self.send_envelope(response(Err(error.to_reply())), urgency).await
            }
            // There is no room for the answer, but there may be for why.
            Err(error @ ActrError::Busy(_)) => self.send_envelope(response(Err(error.to_reply())), urgency).await,
            sent => sent,
        };
        if let Err(error) = sent {
            if let ActrError::Busy(_) = error {
                self.close(Closing::Overwhelmed);
            }
            debug!("the answer to {} was not sent: {error}", route_key.shown());
        }
        if let Some(hold) = hold {
            hold.answer_is_queued();
        }
    }

    async fn dispatch(self: &Arc<Self>, route: &str, payload: Bytes, call: Arc<Call>) -> Result<Bytes, ErrorReply> {
        if self.node.draining().is_cancelled() {
            return Err(ActrError::Stopping.to_reply());
        }
        let ctx = Context::new(Arc::clone(&self.node), call);
        self.node
            .router()
            .dispatch(route, payload, ctx)
            .await
            .map_err(|error| error.to_reply())
    }

    /// Room for a request, if the caller may make it and the node takes one like it. Who may not uses up nothing.
    fn places_for(&self, request: &mut Request) -> Result<[Permit; 2], ActrError> {
        let own_id = || self.node.self_id();
        self.node.router().check(request.route.as_str(), own_id, &self.peer)?;
        self.node.occupancy().check_metadata(&request.metadata)?;
        let is_slice = request.payload.len() >= SLICE_FROM && request.payload.len() >= request.message_len / 2;
        let held = if is_slice {
            request.message_len
        } else {
            request.payload.len()
        };
        let texts = request.request_id.as_str().len() + request.route.as_str().len();
        let places = self.account.call(held + texts + metadata_cost(&request.metadata))?;
        if !is_slice {
            request.payload = Bytes::copy_from_slice(&request.payload);
        }
        Ok(places)
    }

    /// There may be no room for another task, so the answer can't wait for room on the lane either.
    pub(crate) fn refuse(&self, request: Request, error: &ActrError) {
        let Request {
            request_id,
            route: route_key,
            is_call,
            ..
        } = request;
        let request_id = Arc::unwrap_or_clone(request_id);
        if !is_call {
            self.node.complaints().remark(&format_args!(
                "a tell of {} to {} was dropped: {error}",
                self.peer,
                route_key.shown()
            ));
            return;
        }
        let shown = route_key.shown();
        debug!("{shown}, called by {}, was refused: {error}", self.peer);
        let response = Envelope::Response {
            request_id,
            route_key,
            result: Err(error.to_reply()),
        };
        let body = response.encode();
        let (len, limit) = (body.len(), self.lane.max_record_len());
        if len > limit {
            let error = ActrError::TooLong { len, limit };
            self.node.complaints().remark(&format_args!(
                "the response of {shown} to {} cannot be sent: {error}",
                self.peer
            ));
            return;
        }
        match self.lane.try_send(RecordKind::RpcReliable, Urgency::Now, &[], &body) {
            Ok(_) | Err(SendRefused::Closed) => {}
            Err(SendRefused::Full | SendRefused::OverShare(_)) => self.close(Closing::Overwhelmed),
        }
    }
}
