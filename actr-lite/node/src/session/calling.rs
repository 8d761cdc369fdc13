use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use actr_lite_admin::event::Direction;
use actr_lite_engine::{outbox::Urgency, resend::Resend};
use actr_lite_wire::{
    control::Control,
    envelope::{Envelope, ErrorReply},
    peer_text::RawText,
    trace_context::TraceContext,
};
use bytes::Bytes;
use tokio::{
    sync::oneshot,
    time::{Instant, timeout_at},
};
use tracing::debug;

use crate::{
    error::{actr_error::ActrError, dest::Dest},
    session::{
        call_options::CallOptions,
        open_call::OpenCall,
        pending_calls::{Answer, PendingCall},
        session::Session,
    },
};

/// One call's place among those that wait; dropped before the answer came, it tells the callee.
struct Waiting<'a> {
    session: &'a Session,
    request_id: &'a str,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        if self.session.calls.lock().remove(self.request_id).is_some() {
            self.session.lane().send_control(&Control::CallCancel {
                request_id: self.request_id.into(),
            });
        }
    }
}

impl Session {
    /// Calls the peer, and waits for its answer; the caller bounds the wait, of which the options tell the callee. `trace` is
    /// the call's own place in a trace.
    ///
    /// Dropped before that, it is cancelled there too, if the peer speaks the extension.
    pub(crate) async fn call(
        self: &Arc<Self>,
        route: &'static str,
        payload: Bytes,
        options: CallOptions,
        trace: &TraceContext,
    ) -> Result<Bytes, ActrError> {
        let request_id = self.environment.request_ids.next();
        let (sender, answer) = oneshot::channel();
        let tally = &self.environment.streams.tally;
        let place = self.uplink.account().waiting_call();
        let _place = place.inspect_err(|limit| tally.limit_reached(limit))?;
        let pending = PendingCall {
            answer: sender,
            shown: OpenCall::begin(tally, route, Direction::Out),
        };
        self.calls.lock().insert(request_id.clone(), pending);
        let waiting = Waiting {
            session: self,
            request_id: &request_id,
        };
        if !self.is_open() {
            return Err(self.peer_gone());
        }
        let request = Envelope::Request {
            request_id: request_id.as_str().into(),
            route_key: route.into(),
            payload,
            metadata: options.metadata,
            trace: Some(trace.clone()),
            timeout: Some(options.timeout),
        };
        let again = (!self.lane().has_control() && !self.has_answered()).then(|| request.clone());
        self.send_envelope(request, Urgency::Now).await?;
        let answer = match again {
            // In a box, as few calls need it: what one may wait for is part of its future from the start.
            Some(again) => Box::pin(self.until_heard(again, answer)).await,
            None => answer.await,
        };
        let answer = answer.unwrap_or_else(|_| Err(self.peer_gone()))?;
        drop(waiting);
        answer.map_err(|reply| ActrError::Remote {
            dest: Dest::Actor(self.peer().clone()),
            route: route.into(),
            reply,
        })
    }

    /// Waits for the answer to a request, and sends it again while the peer may not have been ready for it.
    async fn until_heard(
        self: &Arc<Self>,
        request: Envelope,
        mut answer: oneshot::Receiver<Answer>,
    ) -> Result<Answer, oneshot::error::RecvError> {
        let began = Instant::now();
        let mut resend = Resend::new(Duration::ZERO);
        while let Some(at) = resend.due(self.has_answered()) {
            match timeout_at(began + at, &mut answer).await {
                Ok(answer) => return answer,
                Err(_) if self.has_answered() => {}
                // If it can't be sent the connection is gone, which the answer says.
                Err(_) => drop(self.send_envelope(request.clone(), Urgency::Now).await),
            }
            resend.sent(began.elapsed());
        }
        answer.await
    }

    /// Whether the peer has answered a call.
    fn has_answered(&self) -> bool {
        self.answered.load(Ordering::Relaxed)
    }

    /// Hands the peer's answer to the caller that waits for it.
    pub(super) fn answer(&self, request_id: &RawText, result: Result<Bytes, ErrorReply>) {
        self.answered.store(true, Ordering::Relaxed);
        if !self.calls.answer(request_id, result) {
            debug!(peer = %self.peer(), request = %request_id.shown(), "an answer to what is not asked");
        }
    }

    /// Sends the peer a message without an answer.
    pub(crate) async fn tell(&self, route: &str, payload: Bytes, trace: TraceContext) -> Result<(), ActrError> {
        let request_id = self.environment.request_ids.next();
        let metadata = Vec::new();
        self.send_envelope(
            Envelope::Tell {
                request_id: request_id.into(),
                route_key: route.into(),
                payload,
                metadata,
                trace: Some(trace),
            },
            Urgency::Now,
        )
        .await
    }
}
