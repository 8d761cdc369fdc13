//! The way of records to one peer, whatever carries them.
//!
//! It knows bytes, batches and sockets, and hands what comes to a [`receiver::Receiver`]. It must not know sessions, streams,
//! the registry, or the errors of the interface.

pub(crate) mod close_reason;
pub(crate) mod closing;
pub(crate) mod lane;
pub(crate) mod patience;
pub(crate) mod receiver;
#[cfg(feature = "webrtc")]
pub(crate) mod webrtc;
pub(crate) mod websocket;
