//! What is called in a schedule.

/// What a client calls.
pub(crate) const ROUTE: &str = "stream_server.StreamServer.RegisterStream";

/// What nodes call that want nothing but an answer.
pub(crate) const ECHO: &str = "simulation.Echo.Call";
