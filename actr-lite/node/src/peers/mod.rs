//! Connections to peers: who they are, where they listen, how they are dialled and accepted, and which are open.
//!
//! It knows the registry's answers, certificates and sessions. It must not know services or contexts.

pub(crate) mod acceptor;
pub(crate) mod addresses;
pub(crate) mod dial;
pub(crate) mod dials;
pub(crate) mod doorkeeper;
pub(crate) mod open_sessions;
pub(crate) mod peer_connection;
pub(crate) mod peers;
pub(crate) mod pool;
pub(crate) mod upgrade;
pub(crate) mod webrtc;
