use actr_lite::{SpanContexts, SpanId, TraceContext, TraceId, TraceState};
use opentelemetry::{
    Context,
    trace::{self as otel, SpanContext, TraceContextExt as _, TraceFlags},
};
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

/// The contexts of spans as OpenTelemetry has them.
#[derive(Debug)]
pub(crate) struct OtelContexts;

impl SpanContexts for OtelContexts {
    fn begin(&self, span: &Span, parent: Option<&TraceContext>) -> Option<TraceContext> {
        // The application may have made a span of its own within the one that `parent` is about.
        let around = Span::current().context();
        let is_within = {
            let around = around.span().span_context().clone();
            let is_same = |parent: &TraceContext| around.trace_id() == trace_id(parent);
            around.is_valid() && parent.is_none_or(is_same)
        };
        let parent = match parent {
            _ if is_within => around,
            Some(parent) => Context::new().with_remote_span_context(remote(parent)),
            None => Context::new(),
        };
        span.set_parent(parent).ok()?;
        own(span.context().span().span_context())
    }
}

fn own(context: &SpanContext) -> Option<TraceContext> {
    let trace_id = TraceId::of(u128::from_be_bytes(context.trace_id().to_bytes()));
    let span_id = SpanId::of(u64::from_be_bytes(context.span_id().to_bytes()));
    context.is_valid().then(|| TraceContext {
        trace_id,
        span_id,
        is_sampled: context.is_sampled(),
        state: TraceState::parse(context.trace_state().header().as_bytes()).unwrap_or_default(),
    })
}

fn remote(context: &TraceContext) -> SpanContext {
    SpanContext::new(
        trace_id(context),
        otel::SpanId::from_bytes(context.span_id.number().to_be_bytes()),
        TraceFlags::default().with_sampled(context.is_sampled),
        true,
        // What is valid there is here; if ever not, the rest is.
        context.state.as_str().parse().unwrap_or_default(),
    )
}

fn trace_id(context: &TraceContext) -> otel::TraceId {
    otel::TraceId::from_bytes(context.trace_id.number().to_be_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_context_is_the_same_on_both_sides() {
        let parent = b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        let context = TraceContext::parse(parent, Some(b"vendor=1,other=2")).unwrap();
        assert_eq!(own(&remote(&context)), Some(context));
        assert_eq!(own(&SpanContext::empty_context()), None);
    }
}
