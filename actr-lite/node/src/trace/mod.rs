//! Where calls and streams belong in traces.
//!
//! It must not know calls, streams and connections.

pub(crate) mod tracer;
