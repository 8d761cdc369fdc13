//! What this node and one peer have to do with each other over one lane: calls both ways, streams both ways.
//!
//! It hands the peer's calls to a [`serve::Serve`]. It must not know contexts, services, the registry, or how a connection
//! is made.

pub(crate) mod answer_hold;
pub(crate) mod call_options;
pub(crate) mod calls;
pub(crate) mod departures;
pub(crate) mod in_use;
pub(crate) mod incoming;
pub(crate) mod receive_error;
pub(crate) mod receiver;
pub(crate) mod request;
pub(crate) mod runs;
pub(crate) mod served;
pub(crate) mod session;
pub(crate) mod sharing;
