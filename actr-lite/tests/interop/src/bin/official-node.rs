//! A node of the published runtime as a program of its own: a stream server, or a client that receives a stream.
//!
//! `official-node REGISTRY_URL REALM_ID serve [PADDING [latency-first]]` says `official server ready as ID` and runs until it is
//! killed; its frames are longer by PADDING bytes;
//! `official-node REGISTRY_URL REALM_ID receive COUNT...` asks for one stream after the other, and says `the stream of COUNT frames
//! has begun after N ms`, or how it fails; it ends with 0 when all frames of the last one have come, in order, and says how many bytes they have;
//! `official-node REGISTRY_URL REALM_ID receive-some COUNT` ends with 0 when so many frames of an endless stream have come.
//! `official-node REGISTRY_URL REALM_ID both COUNT` serves, as a node of the client's type, says `official server ready as ID`,
//! calls the stream server that it finds so often, and says `answered COUNT calls, the first after N ms`.

use std::{
    env, future,
    io::{self, Write as _},
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail};
use interop::{
    OfficialNode, StreamServer,
    official_node::Settings,
    stream_client::{self, Caller},
    stream_server::{self, Frames},
};
use tokio::sync::mpsc;
use tracing_subscriber::EnvFilter;

/// How long a frame may take.
const WAIT_TIMEOUT: Duration = Duration::from_secs(60);

/// How long one may take of a stream that is to be lost.
const LOST_TIMEOUT: Duration = Duration::from_secs(5);

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
        bail!(
            "usage: official-node REGISTRY_URL REALM_ID \
             (serve [PADDING [latency-first]]|receive COUNT...|receive-some COUNT|both COUNT)"
        );
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
        ["serve", frames @ ..] => {
            let frames = match frames {
                [] => Frames::SHORT,
                [padding, delivery @ ..] => Frames {
                    padding: padding.parse().context("PADDING")?,
                    are_latency_first: delivery == ["latency-first"],
                },
            };
            let settings = settings(stream_server::actr_type(), Some(stream_server::service_spec()?))?;
            let node = OfficialNode::start(settings, StreamServer::Sends(frames)).await?;
            say(&format!("official server ready as {}", node.id()))?;
            future::pending().await
        }
        ["receive", counts @ .., last] => {
            let node = OfficialNode::start(settings(stream_client::actr_type(), None)?, Caller).await?;
            for count in counts {
                if let Err(error) = receive(&node, count, LOST_TIMEOUT).await {
                    say(&format!("the stream of {count} frames is lost: {error:#}"))?;
                }
            }
            receive(&node, last, WAIT_TIMEOUT).await
        }
        ["receive-some", count] => {
            let node = OfficialNode::start(settings(stream_client::actr_type(), None)?, Caller).await?;
            let count = count.parse().context("COUNT")?;
            stream_client::receive_some(&node, count, WAIT_TIMEOUT).await?;
            say(&format!("received {count} frames of an endless stream"))
        }
        ["both", count] => {
            let settings = settings(stream_client::actr_type(), None)?;
            let (asked, _asked) = mpsc::unbounded_channel();
            let node = OfficialNode::start(settings, StreamServer::Reports(asked)).await?;
            say(&format!("official server ready as {}", node.id()))?;
            let first = stream_client::call(&node, count.parse().context("COUNT")?).await?;
            say(&format!(
                "answered {count} calls, the first after {} ms",
                first.as_millis()
            ))?;
            future::pending().await
        }
        _ => bail!("neither serve nor receive COUNT... nor receive-some COUNT nor both COUNT"),
    }
}

async fn receive(node: &OfficialNode, count: &str, frame_timeout: Duration) -> anyhow::Result<()> {
    let count = count.parse().context("COUNT")?;
    let (asked, mut said) = (Instant::now(), Ok(()));
    let came = |number| {
        if number == 1 {
            let after = asked.elapsed().as_millis();
            said = say(&format!("the stream of {count} frames has begun after {after} ms"));
        }
    };
    let bytes = stream_client::receive(node, count, frame_timeout, came).await?;
    said?;
    say(&format!("received {count}/{count} frames in order, {bytes} bytes"))
}

/// Prints a line on stdout.
fn say(line: &str) -> anyhow::Result<()> {
    writeln!(io::stdout(), "{line}").context("stdout cannot be written to")
}
