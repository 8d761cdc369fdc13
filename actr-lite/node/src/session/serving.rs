use std::{fmt::Display, sync::Arc, time::Duration};

use actr_lite_admin::event::Direction;
use actr_lite_engine::outbox::Urgency;
use actr_lite_net::complaints::Subject;
use actr_lite_quota::Permit;
use actr_lite_wire::{
    envelope::{Envelope, metadata_cost},
    peer_text::PeerText,
    record::RecordKind,
};
use bytes::Bytes;
use futures_util::future::AbortHandle;
use tracing::debug;

use crate::{
    error::actr_error::ActrError,
    lane::{closing::Closing, lane::SendRefused},
    session::{
        open_call::OpenCall,
        request::Request,
        serve::{Serve, ServedRequest},
        served_call::ServedCall,
        served_calls::Serving,
        session::Session,
        session_handle::SessionHandle,
    },
    tally::call_tally::Outcome,
    trace::spans,
};

/// From this length on a payload stays in the message that it came in, if it is most of that; a shorter one is copied, as
/// it would keep the whole message, or the whole buffer of the connection.
const SLICE_FROM: usize = 256 << 10;

impl Session {
    /// Serves a request in a task of its own, and answers it, if it wants that, whatever happens.
    pub(super) fn serve(self: &Arc<Self>, mut request: Request, serve: &dyn Serve) {
        let Some(session) = SessionHandle::enter(self) else {
            // The peer learns that the connection is closed as unused, and makes the call again.
            let request = request.request_id.shown();
            debug!(peer = %self.peer(), %request, "the connection is closed: a request is not served");
            return;
        };
        // One task takes the requests of a connection, so no other request comes in between.
        if self.served.is_known(&request.request_id) {
            debug!(peer = %self.peer(), request = %request.request_id.shown(), "a request is repeated");
            return;
        }
        let (name, places) = match self.places_for(&mut request, serve) {
            Ok(admitted) => admitted,
            Err(error) => return self.refuse(request, &error),
        };
        let Request {
            request_id,
            route,
            payload,
            metadata,
            trace,
            timeout,
            is_call,
            ..
        } = request;
        let (abort, aborted) = AbortHandle::new_pair();
        // A message without an answer is not cancelled: its sender does not wait anyway.
        let abort = is_call.then_some(abort);
        let shown = OpenCall::begin(&self.environment.streams.tally, name, Direction::In);
        let span = spans::serve(name, self.peer());
        let trace = self.environment.streams.tracer.begin(&span, trace.as_ref());
        self.served.begin(Arc::clone(&request_id), Serving { abort, shown });
        let call = ServedCall {
            shown,
            is_counted: false,
            session,
            request_id,
            route,
            timeout,
            is_call,
            span,
            _places: places,
        };
        let request = ServedRequest {
            payload,
            metadata,
            trace,
            timeout,
            aborted,
        };
        let tasks = &self.environment.streams.tasks;
        tasks.spawn_work("a call's task", serve.serve(call, request));
    }

    /// Room for a request, if the caller may make it and the node takes one like it. Who may not uses up nothing.
    fn places_for(&self, request: &mut Request, serve: &dyn Serve) -> Result<(&'static str, [Permit; 2]), ActrError> {
        let name = serve.check(request.route.as_str(), self.peer())?;
        self.environment.streams.occupancy.check_metadata(&request.metadata)?;
        let is_slice = request.payload.len() >= SLICE_FROM && request.payload.len() >= request.message_len / 2;
        let held = if is_slice {
            request.message_len
        } else {
            request.payload.len()
        };
        let trace = request.trace.as_ref().map_or(0, |trace| trace.state.as_str().len());
        let texts = request.request_id.as_str().len() + request.route.as_str().len() + trace;
        let places = self
            .uplink
            .account()
            .call(held + texts + metadata_cost(&request.metadata))
            .inspect_err(|limit| self.environment.streams.tally.limit_reached(limit))?;
        if !is_slice {
            request.payload = Bytes::copy_from_slice(&request.payload);
        }
        Ok((name, places))
    }

    /// Says something about a call of the peer.
    pub(super) fn complain(&self, route: &PeerText, reason: &dyn Display, line: &dyn Display) {
        let subject = Subject {
            route: Some(route),
            ..Subject::of(self.peer()).because(reason)
        };
        self.environment.streams.complaints.remark(subject, line);
    }

    /// There may be no room for another task, so the answer can't wait for room on the lane either.
    pub(super) fn refuse(&self, request: Request, error: &ActrError) {
        let outcome = Outcome::Failed(error.to_reply().code);
        let calls = &self.environment.streams.tally.calls;
        calls.ended(request.route.as_str(), outcome, Duration::ZERO);
        let Request {
            request_id,
            route: route_key,
            is_call,
            ..
        } = request;
        let request_id = Arc::unwrap_or_clone(request_id);
        if !is_call {
            let (peer, shown) = (self.peer(), route_key.shown());
            let line = format_args!("a tell of {peer} to {shown} was dropped: {error}");
            return self.complain(&shown, error, &line);
        }
        let shown = route_key.shown();
        debug!(route = %shown, peer = %self.peer(), reason = %error, "a call is refused");
        let response = Envelope::Response {
            request_id,
            // Nobody here has checked it: as it came, it could be as long as a record, and the peer need not read it.
            route_key: shown.as_str().into(),
            result: Err(error.to_reply()),
        };
        let body = response.encode();
        let (len, limit) = (body.len(), self.lane().max_record_len());
        if len > limit {
            let error = ActrError::TooLong { len, limit };
            let line = format_args!("the response of {shown} to {} cannot be sent: {error}", self.peer());
            return self.complain(&shown, &error, &line);
        }
        match self.lane().try_send(RecordKind::RpcReliable, Urgency::Now, &[], &body) {
            Ok(_) | Err(SendRefused::Closed) => {}
            Err(SendRefused::Full | SendRefused::OverShare(_)) => self.close(Closing::Overwhelmed),
        }
    }
}
