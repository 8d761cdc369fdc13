//! The product's server behind the benchmark's command line.

use std::net::SocketAddr;

use actr_lite::Signals;
use bench::settings::{Side, system};
use clap::Parser;
use server::EchoServer;

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
        .attach(EchoServer::new(None))
        .start()
        .await?;
    signals.next().await;
    Ok(())
}
