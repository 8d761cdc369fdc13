//! Measures what streams and calls of one connection do to each other, and prints one JSON line.

use std::{
    io::{self, Write as _},
    net::SocketAddr,
};

use bench::{
    client,
    isolation::Isolation,
    settings::{Lane, SERVER_TYPE},
};
use clap::Parser;

/// Measures, against a bench-server, what a slow stream does to the others of its connection, and streams to calls
#[derive(Debug, Parser)]
struct Arguments {
    /// Where bench-server listens
    #[arg(long)]
    connect: SocketAddr,
    /// What carries the records
    #[arg(long, value_enum, default_value_t)]
    lane: Lane,
    /// How often each is measured
    #[arg(long, default_value_t = 7)]
    repetitions: usize,
    /// Streams on the connection, of which one is slow in half of the runs
    #[arg(long, default_value_t = 64)]
    streams: usize,
    /// Frames of each fast stream
    #[arg(long, default_value_t = 40_000)]
    count: u32,
    /// Frames of the slow stream, 4 KiB each, 1 ms or more between them
    #[arg(long, default_value_t = 1000)]
    slow_count: u32,
    /// Streams that take all they can get while calls are measured
    #[arg(long, default_value_t = 8)]
    busy_streams: usize,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let actr = client::start(arguments.connect, arguments.lane).await?;
    let isolation = Isolation {
        repetitions: arguments.repetitions,
        streams: arguments.streams,
        count: arguments.count,
        slow_count: arguments.slow_count,
        busy_streams: arguments.busy_streams,
    };
    let report = isolation.run(&actr, &SERVER_TYPE.parse()?).await?;
    writeln!(io::stdout(), "{}", serde_json::to_string(&report)?)?;
    Ok(())
}
