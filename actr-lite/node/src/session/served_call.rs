use std::{future::Future, sync::Arc, time::Duration};

use actr_lite_engine::outbox::Urgency;
use actr_lite_quota::Permit;
use actr_lite_wire::{
    envelope::{Envelope, ErrorReply},
    error_code::ErrorCode,
    peer_text::{PeerText, RawText},
};
use bytes::Bytes;
use futures_util::{
    FutureExt as _,
    future::{AbortRegistration, Abortable, Aborted},
};
use tokio::time::timeout;
use tracing::{Instrument as _, Span, debug};

use crate::{
    error::actr_error::ActrError,
    lane::closing::Closing,
    session::{answer_hold::AnswerHold, open_call::OpenCall, session_handle::SessionHandle},
    tally::call_tally::Outcome,
    trace::spans,
};

/// How long a handler may take if the caller gives no timeout: nothing else bounds it.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(300);

/// One call of a peer that is being served. Dropping it gives its place back.
pub(crate) struct ServedCall {
    pub(super) session: SessionHandle,
    pub(super) request_id: Arc<RawText>,
    pub(super) route: RawText,
    /// How long the caller waits; `None` if nobody waits.
    pub(super) timeout: Option<Duration>,
    /// Whether the caller wants an answer.
    pub(super) is_call: bool,
    pub(super) shown: OpenCall,
    pub(super) span: Span,
    /// How it ended is counted.
    pub(super) is_counted: bool,
    pub(super) _places: [Permit; 2],
}

impl Drop for ServedCall {
    fn drop(&mut self) {
        self.session.served.finish(&self.request_id);
        if !self.is_counted {
            spans::failed(&self.span, &"the caller waits no longer, or is gone");
        }
        self.count(Outcome::Cancelled);
    }
}

impl ServedCall {
    /// Counts how it ended, if that is not done.
    fn count(&mut self, outcome: Outcome) {
        if !std::mem::replace(&mut self.is_counted, true) {
            let calls = &self.session.environment.streams.tally.calls;
            calls.ended(self.shown.route, outcome, self.shown.began.elapsed());
        }
    }

    /// The session that brought it.
    pub(crate) fn session(&self) -> &SessionHandle {
        &self.session
    }

    /// What was called.
    pub(crate) fn route(&self) -> &str {
        self.route.as_str()
    }

    /// Runs the handler as long as the caller waits for it; `None` if it was cancelled.
    ///
    /// No `async fn`: its future would hold the handler twice.
    pub(crate) fn run<H>(
        &self,
        aborted: AbortRegistration,
        handler: H,
    ) -> impl Future<Output = Option<Result<Bytes, ErrorReply>>> + use<'_, H>
    where
        H: Future<Output = Result<Bytes, ActrError>>,
    {
        let handler = Abortable::new(handler.instrument(self.span.clone()), aborted);
        let handled = timeout(self.timeout.unwrap_or(DEFAULT_TIMEOUT), handler);
        handled.map(|handled| match handled {
            Ok(Ok(result)) => Some(result.map_err(|error| error.to_reply())),
            Ok(Err(Aborted)) => None,
            Err(_) => {
                let route = self.route.shown();
                Some(Err(ErrorReply {
                    code: ErrorCode::TimedOut,
                    message: PeerText::of(&format_args!("{route} was not done within the caller's timeout")),
                }))
            }
        })
    }

    /// Answers the call, if the caller wants that; `hold` keeps the answer for what the handler has spawned.
    pub(crate) async fn finish(mut self, result: Result<Bytes, ErrorReply>, hold: Option<Arc<AnswerHold>>) {
        if let Err(error) = &result {
            spans::failed(&self.span, error);
        }
        match (&result, self.is_call) {
            (Ok(_), _) => {}
            (Err(error), true) => {
                let (route, peer) = (self.route.shown(), self.session.peer());
                debug!(%route, %peer, reason = %error, "a call has failed");
            }
            // A peer can tell as much as it likes: a flood of it must not fill the log.
            (Err(error), false) => {
                let (route, peer) = (self.route.shown(), self.session.peer());
                let line = format_args!("{route}, told by {peer}, failed: {error}");
                self.session.complain(&route, error, &line);
            }
        }
        self.count(match &result {
            Ok(_) => Outcome::Done,
            Err(error) => Outcome::Failed(error.code),
        });
        if self.is_call {
            self.reply(result, hold).await;
        }
    }

    async fn reply(&self, result: Result<Bytes, ErrorReply>, hold: Option<Arc<AnswerHold>>) {
        let is_held = hold.as_ref().is_some_and(|hold| hold.is_on());
        let urgency = if is_held { Urgency::Later } else { Urgency::Now };
        let session = &self.session;
        let response = |result| Envelope::Response {
            request_id: RawText::clone(&self.request_id),
            route_key: self.route.clone(),
            result,
        };
        let sent = match session.send_envelope(response(result), urgency).await {
            Err(error @ ActrError::TooLong { .. }) => {
                let (route, peer) = (self.route.shown(), session.peer());
                session.complain(
                    &route,
                    &error,
                    &format_args!("the response of {route} to {peer} cannot be sent: {error}"),
                );
                session.send_envelope(response(Err(error.to_reply())), urgency).await
            }
            // There is no room for the answer, but there may be for why.
            Err(error @ ActrError::Busy(_)) => session.send_envelope(response(Err(error.to_reply())), urgency).await,
            sent => sent,
        };
        if let Err(error) = sent {
            if let ActrError::Busy(_) = error {
                session.close(Closing::Overwhelmed);
            }
            debug!(route = %self.route.shown(), reason = %error, "an answer is not sent");
        }
        if let Some(hold) = hold {
            hold.answer_is_queued();
        }
    }
}
