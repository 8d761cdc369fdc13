use actr_lite_wire::trace_context::{SpanId, TraceContext, TraceId, TraceState};

/// Gives what a node does its place in a trace.
#[derive(Debug, Default)]
pub(crate) struct Tracer;

impl Tracer {
    /// The context of what `parent` has caused, or of the first of a trace. Nobody records such a trace here.
    pub(crate) fn begin(&self, parent: Option<&TraceContext>) -> TraceContext {
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
}
