//! A server for the benchmark.

use std::net::SocketAddr;

use actr_lite::Signals;
use bench::{
    server::BenchServer,
    settings::{Lane, Side, system},
};
use clap::Parser;

/// Serves streams until SIGTERM
#[derive(Debug, Parser)]
struct Arguments {
    /// Where the registry listens; the data lane takes a free port
    #[arg(long)]
    listen: SocketAddr,
    /// What carries the records
    #[arg(long, value_enum, default_value_t)]
    lane: Lane,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let mut signals = Signals::listen()?;
    let side = Side::Server { hosts_registry: true };
    let _actr = system(side, arguments.listen, arguments.lane)?
        .attach(BenchServer)
        .start()
        .await?;
    signals.next().await;
    Ok(())
}
