//! A node of the published runtime as a program of its own: a stream server, or a client that receives streams.

use std::{
    future,
    io::{self, Write as _},
    net::IpAddr,
    process::ExitCode,
    time::{Duration, Instant},
};

use actr_protocol::{ActrType, ServiceSpec};
use anyhow::{Context as _, ensure};
use clap::{Parser, Subcommand};
use interop::{
    OfficialNode, StreamServer, logging,
    official_node::Settings,
    stream_client::{self, Caller},
    stream_server::{self, Frames},
};
use tokio::sync::mpsc;
use url::Url;
use webrtc_util::ifaces::ifaces;

/// How long a frame may take.
const WAIT_TIMEOUT: Duration = Duration::from_secs(60);

/// How long one may take of a stream that is to be lost.
const LOST_TIMEOUT: Duration = Duration::from_secs(5);

/// A node of the published actr software: it sends and receives stream frames over WebRTC
#[derive(Debug, Parser)]
struct Arguments {
    /// The registry
    #[arg(long, value_name = "URL", default_value = "ws://127.0.0.1:8081/signaling/ws")]
    registry: Url,

    /// The realm, as in `realm_id` of Actr.toml
    #[arg(long, value_name = "ID", default_value_t = 1)]
    realm: u32,

    #[command(subcommand)]
    role: Role,
}

#[derive(Debug, Subcommand)]
enum Role {
    /// Send streams to whoever asks, until it is stopped
    Serve {
        /// By how many bytes the frames are longer
        #[arg(long, value_name = "BYTES", default_value_t = 0)]
        padding: usize,
        /// Whether frames may be lost
        #[arg(long)]
        latency_first: bool,
    },
    /// Ask a server for a stream, check its frames, then ask for the next stream; all but the last one may be lost
    Receive {
        /// How many frames
        #[arg(required = true, value_parser = clap::value_parser!(i32).range(1..))]
        count: Vec<i32>,
    },
    /// Ask a server for an endless stream, some frames of which may be lost
    ReceiveSome {
        /// How many frames must come
        count: usize,
    },
    /// Serve, and call another server, until it is stopped
    Both {
        /// How many calls
        count: i32,
    },
}

#[tokio::main]
async fn main() -> ExitCode {
    logging::start("error");
    let Err(error) = run(Arguments::parse()).await else {
        return ExitCode::SUCCESS;
    };
    // Whoever does not read it gets the exit code.
    let _ = writeln!(io::stderr(), "error: {error:#}");
    ExitCode::FAILURE
}

async fn run(arguments: Arguments) -> anyhow::Result<()> {
    require_address()?;
    let settings = |actr_type: ActrType, service_spec: Option<ServiceSpec>| Settings {
        registry: arguments.registry,
        actr_type,
        realm_id: arguments.realm,
        websocket_port: None,
        service_spec,
    };
    match arguments.role {
        Role::Serve { padding, latency_first } => {
            let frames = Frames {
                padding,
                are_latency_first: latency_first,
            };
            let settings = settings(stream_server::actr_type(), Some(stream_server::service_spec()?));
            let node = OfficialNode::start(settings, StreamServer::Sends(frames)).await?;
            say(&format!("official server ready as {}", node.id()))?;
            future::pending().await
        }
        Role::Receive { count } => {
            let node = OfficialNode::start(settings(stream_client::actr_type(), None), Caller).await?;
            say(&format!("official client ready as {}", node.id()))?;
            let (last, others) = count.split_last().context("no COUNT")?;
            for &count in others {
                if let Err(error) = receive(&node, count, LOST_TIMEOUT).await {
                    say(&format!("the stream of {count} frames is lost: {error:#}"))?;
                }
            }
            receive(&node, *last, WAIT_TIMEOUT).await
        }
        Role::ReceiveSome { count } => {
            let node = OfficialNode::start(settings(stream_client::actr_type(), None), Caller).await?;
            stream_client::receive_some(&node, count, WAIT_TIMEOUT).await?;
            say(&format!("received {count} frames of an endless stream"))
        }
        Role::Both { count } => {
            let (asked, _asked) = mpsc::unbounded_channel();
            let settings = settings(stream_client::actr_type(), None);
            let node = OfficialNode::start(settings, StreamServer::Reports(asked)).await?;
            say(&format!("official server ready as {}", node.id()))?;
            let first = stream_client::call(&node, count).await?.as_millis();
            say(&format!("answered {count} calls, the first after {first} ms"))?;
            future::pending().await
        }
    }
}

/// Says at once what the published runtime would not: it takes no frames over another lane, and waits.
fn require_address() -> anyhow::Result<()> {
    let interfaces = ifaces().context("the addresses of this machine cannot be listed")?;
    let mut addresses = interfaces.iter().filter_map(|interface| Some(interface.addr?.ip()));
    let is_usable = |address: IpAddr| match address {
        IpAddr::V4(address) => !address.is_loopback(),
        IpAddr::V6(address) => !address.is_loopback() && !address.is_unicast_link_local(),
    };
    ensure!(
        addresses.any(is_usable),
        "official nodes do not use loopback addresses for WebRTC, and this machine has no others: add one with \
         `sudo ip address add 192.0.2.1/32 dev lo`"
    );
    Ok(())
}

async fn receive(node: &OfficialNode, count: i32, frame_timeout: Duration) -> anyhow::Result<()> {
    let (began, mut said) = (Instant::now(), Ok(()));
    let came = |number| {
        if number == 1 {
            let after = began.elapsed().as_millis();
            said = say(&format!("the stream of {count} frames has begun after {after} ms"));
        }
    };
    let bytes = stream_client::receive(node, count, frame_timeout, came).await?;
    said?;
    let seconds = began.elapsed().as_secs_f64();
    // The published runtime drops frames that come over the other lane.
    say(&format!(
        "{count} of {count} frames in order over WebRTC in {seconds:.1} s: {bytes} bytes"
    ))
}

/// Prints a line on stdout.
fn say(line: &str) -> anyhow::Result<()> {
    writeln!(io::stdout(), "{line}").context("stdout cannot be written to")
}
