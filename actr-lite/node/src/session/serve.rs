use std::time::Duration;

use actr_lite_wire::{identity::ActrId, trace_context::TraceContext};
use bytes::Bytes;
use futures_util::future::{AbortRegistration, BoxFuture};

use crate::{error::actr_error::ActrError, session::served_call::ServedCall};

/// Serves the calls of peers.
pub(crate) trait Serve: Send + Sync + 'static {
    /// Whether the caller may call this; its name as this node has it.
    fn check(&self, route: &str, caller: &ActrId) -> Result<&'static str, ActrError>;

    /// The task of a call: it runs the handler by [`ServedCall::run`], and hands what comes of it to
    /// [`ServedCall::finish`].
    fn serve(&self, call: ServedCall, request: ServedRequest) -> BoxFuture<'static, ()>;
}

/// What a handler gets of a call, and when it is to be dropped.
pub(crate) struct ServedRequest {
    pub(crate) payload: Bytes,
    pub(crate) metadata: Vec<(String, String)>,
    /// Its own place in the trace of what caused it.
    pub(crate) trace: TraceContext,
    /// How long the caller waits; `None` if nobody waits.
    pub(crate) timeout: Option<Duration>,
    /// The caller waits no longer, or is gone.
    pub(crate) aborted: AbortRegistration,
}
