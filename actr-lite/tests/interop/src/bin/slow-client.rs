//! A client of this workspace, over WebRTC, that takes one stream slowly and another one as fast as it comes.
//!
//! `slow-client REGISTRY_URL REALM_ID COUNT` asks a stream server for two streams of `COUNT` frames each, takes nothing of the
//! first until the second has ended, and then the first. It says how both have ended.

use std::{
    env, fs,
    io::{self, Write as _},
    sync::Arc,
    time::Duration,
};

use actr_lite::{ActrId, ActrSystem, Context, Service, Subscription, Workload};
use anyhow::{Context as _, bail, ensure};
use protos::stream_server::RegisterStreamRequest;
use tokio::time::timeout;

/// How long a frame may take.
const WAIT_TIMEOUT: Duration = Duration::from_secs(60);

/// It has no services.
struct Caller;

impl Workload for Caller {
    fn services(self: Arc<Self>) -> Vec<Arc<dyn Service>> {
        Vec::new()
    }
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [registry, realm_id, count] = arguments.as_slice() else {
        bail!("usage: slow-client REGISTRY_URL REALM_ID COUNT");
    };
    let count = count.parse().context("COUNT")?;
    let actr = system(registry, realm_id)?.attach(Caller).start().await?;
    let ctx = actr.context();
    let server = ctx.discover(&"acme:StreamEchoServer:1.0.0".parse()?).await?;
    let mut stalled = ask(ctx, &server, "stalled", count).await?;
    let mut flowing = ask(ctx, &server, "flowing", count).await?;
    for subscription in [&mut flowing, &mut stalled] {
        receive(subscription).await?;
    }
    actr.shutdown().await;
    Ok(())
}

fn system(registry: &str, realm_id: &str) -> anyhow::Result<ActrSystem> {
    let text = format!(
        r#"
edition = 1
exports = []
[package]
name = "slow-client"
[package.actr_type]
manufacturer = "acme"
name = "SlowClient"
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
    Ok(ActrSystem::from_toml(&path)?)
}

async fn ask(ctx: &Context, server: &ActrId, name: &str, count: i32) -> anyhow::Result<Subscription> {
    let subscription = ctx.subscribe(name.parse()?, server)?;
    let request = RegisterStreamRequest {
        stream_id: name.into(),
        message_count: count,
    };
    let response = ctx.call(server, request).await?;
    ensure!(response.success, "{}", response.message);
    Ok(subscription)
}

async fn receive(subscription: &mut Subscription) -> anyhow::Result<()> {
    let mut received = 0;
    while let Some(frame) = timeout(WAIT_TIMEOUT, subscription.next()).await? {
        received += 1;
        ensure!(frame.sequence == received, "{} instead of {received}", frame.sequence);
    }
    let (name, end) = (subscription.stream_id(), subscription.end());
    writeln!(io::stdout(), "{name}: {received} frames, then {end:?}").context("stdout cannot be written to")
}
