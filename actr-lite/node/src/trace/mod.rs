//! Where calls and streams belong in traces, and the spans that show it.
//!
//! It must not know how calls, streams and connections work.

pub(crate) mod span_contexts;
pub(crate) mod spans;
pub(crate) mod tracer;
