use std::fmt;

use actr_lite_wire::trace_context::TraceContext;
use tracing::Span;

/// Whoever records spans, and so decides which trace each belongs to: [`crate::ActrSystem::with_span_contexts`].
pub trait SpanContexts: fmt::Debug + Send + Sync + 'static {
    /// Puts a span that has just begun into the trace of `parent`, or into one of its own; its context there. `None` if the
    /// span is not recorded by this. It is called once for each span, and must not wait.
    fn begin(&self, span: &Span, parent: Option<&TraceContext>) -> Option<TraceContext>;
}
