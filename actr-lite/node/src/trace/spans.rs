//! The spans of a node. Whoever is not asked for spans at the level DEBUG makes none.
//!
//! A span lasts at least as long as those that `tracing` knows as its children. A stream outlives the call that opened it, and
//! is no child there: its place is in its trace context.
//!
//! What begins with `otel.` is for those who record them, and in no line of a log.

use std::{fmt::Display, future::Future};

use actr_lite_wire::identity::{ActrId, ActrType, StreamId};
use futures_util::FutureExt as _;
use tracing::{
    Instrument as _, Span, debug_span,
    field::{Empty, display},
};

/// A call that this node makes; without a peer, to a service of its own.
pub(crate) fn call(route: &str, peer: Option<&ActrId>) -> Span {
    debug_span!(
        "call",
        route,
        peer = peer.map(display),
        trace_id = Empty,
        reason = Empty,
        otel.name = route,
        otel.kind = if peer.is_some() { "client" } else { "internal" },
        otel.status_code = Empty,
    )
}

/// A message without an answer that this node sends.
pub(crate) fn tell(route: &str, peer: &ActrId) -> Span {
    debug_span!(
        "tell",
        route,
        %peer,
        trace_id = Empty,
        reason = Empty,
        otel.name = route,
        otel.kind = "producer",
        otel.status_code = Empty,
    )
}

/// A call of a peer, until its answer is on its way.
pub(crate) fn serve(route: &'static str, peer: &ActrId) -> Span {
    debug_span!(
        parent: None,
        "serve",
        route,
        %peer,
        trace_id = Empty,
        reason = Empty,
        otel.name = route,
        otel.kind = "server",
        otel.status_code = Empty,
    )
}

/// A search for nodes of a type.
pub(crate) fn discover(server_type: &ActrType) -> Span {
    debug_span!(
        "discover",
        %server_type,
        trace_id = Empty,
        reason = Empty,
        otel.kind = "client",
        otel.status_code = Empty,
    )
}

/// The making of a connection, for all who wait for it; a part of what the first of them does.
pub(crate) fn dial(peer: &ActrId) -> Span {
    debug_span!("dial", %peer, reason = Empty, otel.kind = "client", otel.status_code = Empty)
}

/// A stream that this node sends.
pub(crate) fn send_stream(stream: &StreamId, peer: &ActrId) -> Span {
    debug_span!(
        parent: None,
        "send_stream",
        %stream,
        %peer,
        trace_id = Empty,
        frames = Empty,
        bytes = Empty,
        dropped = Empty,
        end = Empty,
        reason = Empty,
        otel.kind = "producer",
        otel.status_code = Empty,
    )
}

/// A stream that this node receives.
pub(crate) fn receive_stream(stream: &StreamId, peer: &ActrId) -> Span {
    debug_span!(
        parent: None,
        "receive_stream",
        %stream,
        %peer,
        trace_id = Empty,
        frames = Empty,
        bytes = Empty,
        dropped = Empty,
        end = Empty,
        reason = Empty,
        otel.kind = "consumer",
        otel.status_code = Empty,
    )
}

/// Does `work` in a span, which gets to know why it failed.
///
/// No `async fn`: its future would hold the work twice.
pub(crate) fn within<T, E: Display, F>(span: Span, work: F) -> impl Future<Output = Result<T, E>> + use<T, E, F>
where
    F: Future<Output = Result<T, E>>,
{
    let outcome = span.clone();
    let done = work.instrument(span);
    done.map(move |result| result.inspect_err(|error| failed(&outcome, error)))
}

/// What a span is about has failed.
pub(crate) fn failed(span: &Span, reason: &dyn Display) {
    span.record("reason", display(reason));
    span.record("otel.status_code", "ERROR");
}
