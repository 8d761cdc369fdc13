//! A client that asks a stream server for a stream, with this workspace's runtime, over WebRTC.

use std::{fs, sync::Arc};

use actr_lite::{ActrRef, ActrSystem, Service, Subscription, Workload};
use anyhow::{Context as _, ensure};
use protos::stream_server::RegisterStreamRequest;

/// It has no services.
struct Caller;

impl Workload for Caller {
    fn services(self: Arc<Self>) -> Vec<Arc<dyn Service>> {
        Vec::new()
    }
}

/// Starts a client that reaches others over WebRTC first. It names no contract: whoever has the type will do.
///
/// # Errors
/// If it can't register.
pub async fn start(registry: &str, realm_id: &str) -> anyhow::Result<ActrRef> {
    let text = format!(
        r#"
edition = 1
exports = []
[package]
name = "own-client"
[package.actr_type]
manufacturer = "acme"
name = "OwnClient"
[system]
insecure = true
[system.signaling]
url = "{registry}"
[system.webrtc]
mode = "prefer"
[system.deployment]
realm_id = {realm_id}
"#
    );
    let folder = tempfile::tempdir().context("no temporary directory")?;
    let path = folder.path().join("Actr.toml");
    fs::write(&path, text).context("Actr.toml cannot be written")?;
    Ok(ActrSystem::from_toml(&path)?.attach(Caller).start().await?)
}

/// Asks the server that there is for a stream of `count` frames.
///
/// # Errors
/// If none is found, or it does not agree.
pub async fn ask(actr: &ActrRef, name: &str, count: i32) -> anyhow::Result<Subscription> {
    let ctx = actr.context();
    let server = ctx.discover(&"acme:StreamEchoServer:1.0.0".parse()?).await?;
    let subscription = ctx.subscribe(name.parse()?, &server)?;
    let request = RegisterStreamRequest {
        stream_id: name.into(),
        message_count: count,
    };
    let response = ctx.call(&server, request).await?;
    ensure!(response.success, "{}", response.message);
    Ok(subscription)
}
