//! What this node and one peer have to do with each other over one lane: calls both ways, streams both ways.
//!
//! It hands the peer's calls to a [`serve::Serve`]. It must not know contexts, services, the registry, or how a connection
//! is made.

pub(crate) mod access;
pub(crate) mod answer_hold;
pub(crate) mod call_options;
pub(crate) mod calling;
pub(crate) mod departures;
pub(crate) mod frame_intake;
pub(crate) mod idle;
pub(crate) mod open_call;
pub(crate) mod pending_calls;
pub(crate) mod receiver;
pub(crate) mod request;
pub(crate) mod request_ids;
pub(crate) mod serve;
pub(crate) mod served_call;
pub(crate) mod served_calls;
pub(crate) mod serving;
pub(crate) mod session;
pub(crate) mod session_environment;
pub(crate) mod session_handle;
