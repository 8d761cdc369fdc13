//! An Actr.toml for a run.

use std::net::SocketAddr;

use actr_lite::ActrSystem;
use anyhow::{Context as _, Result};

/// Which end of the measurement it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// Sends.
    Server {
        /// Whether the registry is its own.
        hosts_registry: bool,
    },
    /// Receives.
    Client,
}

/// The most connections of the one client: one for each of its users would be usual. It may use all that there is.
const MAX_CONNECTIONS: usize = 4096;
const MAX_STREAMS: usize = 65_536;
const MAX_BYTES: usize = 1 << 30;

/// The type that the measured server has.
pub const SERVER_TYPE: &str = "acme+StreamEchoServer";

/// A node's configuration, with a registry at `registry`.
///
/// # Errors
/// When the temporary file can't be written.
pub fn system(side: Side, registry: SocketAddr) -> Result<ActrSystem> {
    let (name, exports, is_server) = match side {
        Side::Server { .. } => ("StreamEchoServer", r#"["stream_server.proto"]"#, true),
        Side::Client => ("StreamBenchClient", "[]", false),
    };
    let embedded = side == Side::Server { hosts_registry: true };
    let text = format!(
        r#"
edition = 1
exports = {exports}
[package]
name = "bench"
[package.actr_type]
manufacturer = "acme"
name = "{name}"
[system.signaling]
url = "ws://{registry}/signaling/ws"
embedded = {embedded}
[system.websocket]
listen = "{}:0"
[system.deployment]
realm_id = 1
[system.discovery]
visible = {is_server}
[system.limits]
max_connections = {MAX_CONNECTIONS}
max_connections_per_peer = {MAX_CONNECTIONS}
max_streams_per_peer = {MAX_STREAMS}
max_calls_per_peer = {MAX_STREAMS}
max_bytes = {MAX_BYTES}
max_bytes_per_peer = {MAX_BYTES}
"#,
        registry.ip()
    );
    let folder = tempfile::tempdir().context("a temporary folder cannot be made")?;
    let path = folder.path().join("Actr.toml");
    std::fs::write(&path, text).context("Actr.toml cannot be written")?;
    Ok(ActrSystem::from_toml(&path)?)
}
