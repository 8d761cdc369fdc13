//! Streams that outlive their senders.
//!
//! It knows registrations, discovery and calls, and does what the engine's resumption decides. It must not know how a connection is made
//! or how a node starts.

pub(crate) mod broken;
pub(crate) mod options;
pub(crate) mod resumable_stream;
pub(crate) mod resume_error;
pub(crate) mod supervisor;
