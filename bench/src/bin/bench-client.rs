//! Asks for streams, checks every frame, and prints one JSON line.

use std::{
    io::{self, Write as _},
    net::SocketAddr,
    time::Duration,
};

use bench::{
    client,
    load::Load,
    settings::{Lane, SERVER_TYPE},
};
use clap::Parser;

/// Asks a bench-server for streams, and measures
#[derive(Debug, Parser)]
struct Arguments {
    /// Where bench-server listens
    #[arg(long)]
    connect: SocketAddr,
    /// What carries the records
    #[arg(long, value_enum, default_value_t)]
    lane: Lane,
    /// Streams on each connection
    #[arg(long, default_value_t = 1)]
    streams: u64,
    /// Frames of each stream
    #[arg(long, default_value_t = 1)]
    count: u32,
    /// Bytes of each payload; 0: just the text
    #[arg(long, default_value_t = 0)]
    payload: u32,
    /// Connections
    #[arg(long, default_value_t = 1)]
    connections: u64,
    /// Microseconds that the callback sleeps after each frame
    #[arg(long, default_value_t = 0)]
    slow_us: u64,
    /// Requests for one frame, one after another, before: what the time to the first frame is taken from
    #[arg(long, default_value_t = 200)]
    latency_requests: usize,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let actr = client::start(arguments.connect, arguments.lane).await?;
    let load = Load {
        streams: arguments.streams,
        count: arguments.count,
        payload: arguments.payload,
        connections: arguments.connections,
        slow: (arguments.slow_us > 0).then(|| Duration::from_micros(arguments.slow_us)),
        latency_requests: arguments.latency_requests,
    };
    let report = load.run(&actr, &SERVER_TYPE.parse()?).await?;
    writeln!(io::stdout(), "{}", serde_json::to_string(&report)?)?;
    Ok(())
}
