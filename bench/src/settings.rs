//! An Actr.toml for a run.

use std::net::SocketAddr;

use actr_lite::ActrSystem;
use anyhow::{Context as _, Result};
use clap::ValueEnum;

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

/// What carries the records between the two.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum Lane {
    /// WebSocket.
    #[default]
    Websocket,
    /// WebRTC's data channels.
    #[cfg(feature = "webrtc")]
    Webrtc,
}

impl Lane {
    /// When a node uses WebRTC.
    fn webrtc_mode(self) -> &'static str {
        match self {
            Self::Websocket => "off",
            #[cfg(feature = "webrtc")]
            Self::Webrtc => "prefer",
        }
    }
}

/// The most connections and streams of the one client: one for each of its users would be usual.
const MAX_CONNECTIONS: usize = 4096;
const MAX_STREAMS: usize = 65_536;

/// By what all limits are larger than those of the client: one peer gets no more than a fifth of anything.
const ALL: usize = 5;

/// What the client may make the server hold, and all clients: as much as can be said.
const MAX_BYTES: usize = 1 << 30;

/// The type that the measured server has.
pub const SERVER_TYPE: &str = "acme+StreamEchoServer";

/// A node's configuration, with a registry at `registry`.
///
/// # Errors
/// When the temporary file can't be written.
pub fn system(side: Side, registry: SocketAddr, lane: Lane) -> Result<ActrSystem> {
    let (name, exports, is_server) = match side {
        Side::Server { .. } => ("StreamEchoServer", r#"["stream_server.proto"]"#, true),
        Side::Client => ("StreamBenchClient", "[]", false),
    };
    let embedded = side == Side::Server { hosts_registry: true };
    // Whoever measures between two machines, or with nodes that know no other way, knows what is between them.
    let insecure = !registry.ip().is_loopback();
    let mode = lane.webrtc_mode();
    let (all_connections, all_streams) = (ALL * MAX_CONNECTIONS, ALL * MAX_STREAMS);
    let text = format!(
        r#"
edition = 1
exports = {exports}
[package]
name = "bench"
[package.actr_type]
manufacturer = "acme"
name = "{name}"
[system]
insecure = {insecure}
[system.signaling]
url = "ws://{registry}/signaling/ws"
embedded = {embedded}
[system.websocket]
listen = "{}:0"
[system.webrtc]
mode = "{mode}"
[system.deployment]
realm_id = 1
[system.discovery]
visible = {is_server}
[system.limits]
max_connections = {all_connections}
max_connections_per_peer = {MAX_CONNECTIONS}
max_streams = {all_streams}
max_streams_per_peer = {MAX_STREAMS}
max_calls = {all_streams}
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
