use std::sync::Arc;

use actr_lite_wire::trace_context::{SpanId, TraceContext, TraceId, TraceState};
use tracing::{Span, field::display};

use crate::trace::span_contexts::SpanContexts;

/// Gives what a node does its place in a trace.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tracer {
    recorder: Option<Arc<dyn SpanContexts>>,
}

impl Tracer {
    /// Of a node whose spans are recorded by this, if they are.
    pub(crate) fn new(recorder: Option<Arc<dyn SpanContexts>>) -> Self {
        Self { recorder }
    }

    /// The context of a span that `parent` has caused, or of the first of a trace, which is not sampled if nobody records
    /// it here.
    pub(crate) fn begin(&self, span: &Span, parent: Option<&TraceContext>) -> TraceContext {
        let recorder = self.recorder.as_ref().filter(|_| !span.is_disabled());
        let recorded = recorder.and_then(|recorder| recorder.begin(span, parent));
        let context = recorded.unwrap_or_else(|| unrecorded(parent));
        span.record("trace_id", display(context.trace_id));
        context
    }
}

fn unrecorded(parent: Option<&TraceContext>) -> TraceContext {
    let span_id = SpanId::of(rand::random());
    match parent {
        Some(parent) => parent.with_span(span_id),
        None => TraceContext {
            trace_id: TraceId::of(rand::random()),
            span_id,
            is_sampled: false,
            state: TraceState::default(),
        },
    }
}
