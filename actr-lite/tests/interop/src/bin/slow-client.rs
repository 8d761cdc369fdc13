//! A client of this workspace, over WebRTC, that takes one stream slowly and another one as fast as it comes.
//!
//! `slow-client REGISTRY_URL REALM_ID COUNT` asks a stream server for two streams of `COUNT` frames each, takes nothing of the
//! first until the second has ended, and then the first. It says how both have ended.

use std::{
    env,
    io::{self, Write as _},
    time::Duration,
};

use actr_lite::Subscription;
use anyhow::{Context as _, bail, ensure};
use interop::own_client;
use tokio::time::timeout;

/// How long a frame may take.
const WAIT_TIMEOUT: Duration = Duration::from_secs(60);

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [registry, realm_id, count] = arguments.as_slice() else {
        bail!("usage: slow-client REGISTRY_URL REALM_ID COUNT");
    };
    let count = count.parse().context("COUNT")?;
    let actr = own_client::start(registry, realm_id).await?;
    let mut stalled = own_client::ask(&actr, "stalled", count).await?;
    let mut flowing = own_client::ask(&actr, "flowing", count).await?;
    for subscription in [&mut flowing, &mut stalled] {
        receive(subscription).await?;
    }
    actr.shutdown().await;
    Ok(())
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
