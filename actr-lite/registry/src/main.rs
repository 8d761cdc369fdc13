//! Runs a registry alone, until SIGINT or SIGTERM.

use std::{
    io::{self, IsTerminal as _, Write as _},
    process::ExitCode,
};

use actr_lite_registry::{Options, Registry};
use anyhow::Context as _;
use clap::Parser;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tracing::info;
use tracing_subscriber::EnvFilter;

/// Gives nodes their identity, and tells them where other nodes are.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    /// Where to listen; port 0 is any free one
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:8081")]
    listen: String,
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(Arguments::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Nobody reads stderr if this fails, and the exit code says it too.
            let _ = writeln!(io::stderr(), "error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: Arguments) -> anyhow::Result<()> {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(io::stderr().is_terminal())
        .with_writer(io::stderr)
        .init();

    let mut signals = Signals::new().context("can't handle SIGINT and SIGTERM")?;
    let registry = Registry::bind(&arguments.listen, Options::default()).await?;
    info!("registry listening on ws://{}/signaling/ws", registry.local_addr());

    let shutdown = CancellationToken::new();
    let mut serving = std::pin::pin!(registry.run(shutdown.clone()));
    tokio::select! {
        () = serving.as_mut() => return Ok(()),
        name = signals.next() => info!("{name}: stopping"),
    }
    shutdown.cancel();
    tokio::select! {
        () = serving => Ok(()),
        name = signals.next() => anyhow::bail!("{name} again: stopped at once"),
    }
}

struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    fn new() -> io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
        })
    }

    async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.interrupt.recv() => "SIGINT",
            _ = self.terminate.recv() => "SIGTERM",
        }
    }
}
