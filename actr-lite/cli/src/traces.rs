//! The traces of a node, sent to a collector, if `otel`, a feature of this crate, is on. Without it nothing of them is
//! compiled.

#[cfg(not(feature = "otel"))]
mod absent;
#[cfg(feature = "otel")]
mod counted;
#[cfg(feature = "otel")]
mod exported;
#[cfg(feature = "otel")]
mod http_client;
#[cfg(feature = "otel")]
mod http_error;
#[cfg(feature = "otel")]
mod otel_contexts;

#[cfg(not(feature = "otel"))]
pub(crate) use absent::Traces;
#[cfg(feature = "otel")]
pub(crate) use exported::Traces;
