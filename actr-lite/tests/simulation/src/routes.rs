//! What is called in a schedule, and by whom.

/// The type of nodes that break the protocol.
pub(crate) const ROGUE: &str = "Rogue";

/// What a client calls.
pub(crate) const ROUTE: &str = "stream_server.StreamServer.RegisterStream";

/// What nodes call that want nothing but an answer.
pub(crate) const ECHO: &str = "simulation.Echo.Call";
