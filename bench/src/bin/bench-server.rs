//! A server for the benchmark.

use std::net::SocketAddr;

use actr_lite::Signals;
use bench::{
    server::BenchServer,
    settings::{Side, system},
};
use clap::Parser;

/// Serves streams until SIGTERM
#[derive(Debug, Parser)]
struct Arguments {
    /// Where the registry listens; the data lane takes a free port
    #[arg(long)]
    listen: SocketAddr,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let mut signals = Signals::listen()?;
    let _actr = system(Side::Server { hosts_registry: true }, arguments.listen)?
        .attach(BenchServer)
        .start()
        .await?;
    signals.next().await;
    Ok(())
}
