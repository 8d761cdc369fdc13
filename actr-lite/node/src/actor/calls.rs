use std::{
    future::Future,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use actr_lite_engine::redials::Redials;
use actr_lite_wire::{peer_text::PeerText, trace_context::TraceContext};
use bytes::Bytes;
use prost::Message as _;
use tokio::time::timeout;
use tracing::Span;

use crate::{
    actor::{call::Call, context::Context, service::Rpc},
    error::{actr_error::ActrError, dest::Dest},
    readable_duration::readable,
    session::call_options::{CallOptions, DEFAULT_CALL_TIMEOUT},
    trace::spans,
};

/// How much longer the caller of a local call waits than its handler, so that the step that takes too long reports it.
const LOCAL_SLACK: Duration = Duration::from_millis(200);

/// Calls to other actors, and to this one.
impl Context {
    /// Calls an actor, and waits at most 30 s for a connection and the answer.
    ///
    /// # Errors
    /// The callee's own error as [`ActrError::Remote`]; no connection, a lost connection, or no answer in time.
    ///
    /// # Cancel safety
    /// Dropping it cancels the call, and the handler at the callee if that speaks this project's extension.
    pub async fn call<R: Rpc>(&self, dest: impl Into<Dest>, request: R) -> Result<R::Response, ActrError> {
        self.call_with(dest, request, CallOptions::default()).await
    }

    /// The same with another timeout, or with metadata.
    ///
    /// # Errors
    /// As [`Self::call`].
    pub async fn call_with<R: Rpc>(
        &self,
        dest: impl Into<Dest>,
        request: R,
        options: CallOptions,
    ) -> Result<R::Response, ActrError> {
        let dest = dest.into();
        let payload = request.encode_to_vec().into();
        let response = self.exchange(&dest, R::ROUTE, payload, options).await?;
        R::Response::decode(response).map_err(|error| ActrError::Answer {
            dest,
            route: R::ROUTE.into(),
            cause: PeerText::of(&error),
        })
    }

    /// Sends a request to an actor, and waits for the answer.
    ///
    /// No `async fn`: its future would hold the arguments twice.
    pub(crate) fn exchange<'a>(
        &'a self,
        dest: &'a Dest,
        route: &'static str,
        payload: Bytes,
        options: CallOptions,
    ) -> impl Future<Output = Result<Bytes, ActrError>> + use<'a> {
        let span = spans::call(route, dest.peer());
        let trace = self.begin_trace(&span);
        spans::within(span, self.exchange_in(trace, dest, route, payload, options))
    }

    async fn exchange_in(
        &self,
        trace: TraceContext,
        dest: &Dest,
        route: &'static str,
        payload: Bytes,
        options: CallOptions,
    ) -> Result<Bytes, ActrError> {
        self.actor.occupancy().check_metadata(&options.metadata)?;
        let after = self
            .call
            .left()
            .map_or(options.timeout, |left| left.min(options.timeout));
        let slack = match dest {
            Dest::Local => LOCAL_SLACK,
            Dest::Actor(_) => Duration::ZERO,
        };
        let is_connected = AtomicBool::new(false);
        let mut exchange = pin!(async {
            if *dest == Dest::Local {
                let call = Arc::new(Call::new(None, options.metadata, Some(after), trace.clone()));
                let answer = self.actor.local.call(route, payload, Arc::clone(&call)).await;
                call.returned();
                return answer;
            }
            let begin = Instant::now();
            let mut redials = Redials::default();
            loop {
                let session = self.session(dest).await?;
                is_connected.store(true, Ordering::Relaxed);
                let metadata = options.metadata.clone();
                let timeout = after.saturating_sub(begin.elapsed());
                let options = CallOptions { timeout, metadata };
                match session.call(route, payload.clone(), options, &trace).await {
                    // The peer closed the connection before the call arrived.
                    Err(ActrError::PeerGone { reason, .. }) if redials.may_redial(reason.is_unused()) => {}
                    result => return result,
                }
            }
        });
        timeout(after.saturating_add(slack), exchange.as_mut())
            .await
            // The exchange is not dropped yet, so that its step is known.
            .unwrap_or_else(|_| Err(self.timed_out(dest, route, after, is_connected.load(Ordering::Relaxed))))
    }

    /// Sends an actor a message that has no answer. It is on its way when this returns; whether it was
    /// handled is not known. It is lost if the actor closes the connection as unused at that moment.
    ///
    /// # Errors
    /// No connection. A local handler's error.
    pub async fn tell<R: Rpc>(&self, dest: impl Into<Dest>, message: R) -> Result<(), ActrError> {
        let dest = &dest.into();
        match dest {
            Dest::Local => self.call(dest, message).await.map(drop),
            Dest::Actor(peer) => {
                let payload = message.encode_to_vec().into();
                let after = DEFAULT_CALL_TIMEOUT;
                let is_connected = AtomicBool::new(false);
                let span = spans::tell(R::ROUTE, peer);
                let trace = self.begin_trace(&span);
                let told = async {
                    let mut told = pin!(async {
                        let session = self.session(dest).await?;
                        is_connected.store(true, Ordering::Relaxed);
                        session.tell(R::ROUTE, payload, trace).await
                    });
                    timeout(after, told.as_mut()).await.unwrap_or_else(|_| {
                        Err(self.timed_out(dest, R::ROUTE, after, is_connected.load(Ordering::Relaxed)))
                    })
                };
                spans::within(span, told).await
            }
        }
    }

    /// The place in a trace of what is done in this context.
    pub(super) fn begin_trace(&self, span: &Span) -> TraceContext {
        self.actor.streams().tracer.begin(span, self.trace_context())
    }

    /// The time for a call is over; which step it was that took too long.
    fn timed_out(&self, dest: &Dest, route: &str, after: Duration, is_connected: bool) -> ActrError {
        match dest {
            Dest::Actor(peer) if !is_connected => {
                let step = self.actor.peers.dial_standing(peer);
                let step = step.map_or_else(String::new, |step| format!(": {step}"));
                ActrError::Unreachable {
                    peer: peer.clone(),
                    cause: PeerText::of(&format_args!("no connection within {}{step}", readable(after))),
                }
            }
            dest => ActrError::TimedOut {
                dest: dest.clone(),
                route: route.into(),
                after,
            },
        }
    }
}
