//! A node of the published runtime as a program of its own: a stream server, or a client that receives a stream.
//!
//! `official-node REGISTRY_URL REALM_ID serve` says `official server ready as ID` and runs until it is killed;
//! `official-node REGISTRY_URL REALM_ID receive COUNT` ends with 0 when all frames have come, in order.

use std::{
    env, future,
    io::{self, Write as _},
    time::Duration,
};

use anyhow::{Context as _, bail};
use interop::{
    OfficialNode, StreamServer,
    official_node::Settings,
    stream_client::{self, Caller},
    stream_server,
};
use tracing_subscriber::EnvFilter;

/// How long a frame may take.
const WAIT_TIMEOUT: Duration = Duration::from_secs(60);

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("warn"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .init();
    let arguments: Vec<String> = env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let [registry, realm_id, what @ ..] = arguments.as_slice() else {
        bail!("usage: official-node REGISTRY_URL REALM_ID (serve|receive COUNT)");
    };
    let settings = |actr_type, service_spec| -> anyhow::Result<Settings> {
        Ok(Settings {
            registry: registry.parse().context("REGISTRY_URL")?,
            actr_type,
            realm_id: realm_id.parse().context("REALM_ID")?,
            websocket_port: None,
            service_spec,
        })
    };
    match what {
        ["serve"] => {
            let settings = settings(stream_server::actr_type(), Some(stream_server::service_spec()?))?;
            let node = OfficialNode::start(settings, StreamServer::Sends).await?;
            say(&format!("official server ready as {}", node.id()))?;
            future::pending().await
        }
        ["receive", count] => {
            let count = count.parse().context("COUNT")?;
            let node = OfficialNode::start(settings(stream_client::actr_type(), None)?, Caller).await?;
            stream_client::receive(&node, count, WAIT_TIMEOUT).await?;
            say(&format!("received {count}/{count} frames in order"))?;
            Ok(())
        }
        _ => bail!("neither serve nor receive COUNT"),
    }
}

/// Prints a line on stdout.
fn say(line: &str) -> anyhow::Result<()> {
    writeln!(io::stdout(), "{line}").context("stdout cannot be written to")
}
