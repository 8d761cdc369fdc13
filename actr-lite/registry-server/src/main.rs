//! Runs a registry alone, until SIGINT or SIGTERM.

mod arguments;
mod signals;

use std::{
    env,
    io::{self, IsTerminal as _, Write as _},
    process::ExitCode,
};

use actr_lite_registry::Registry;
use anyhow::Context as _;
use clap::Parser as _;
use tokio_util::sync::CancellationToken;
use tracing::info;
use tracing_subscriber::{
    filter::{LevelFilter, Targets},
    prelude::*,
};

use crate::{
    arguments::{Arguments, REMEDIES},
    signals::Signals,
};

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
    start_logging();

    let mut signals = Signals::new().context("can't handle SIGINT, SIGTERM and SIGHUP")?;
    let tls = arguments.tls.load()?;
    let mut registry = Registry::bind(&arguments.listen, arguments.trust.options(&arguments.limits)?).await?;
    if let Some(tls) = &tls {
        registry = registry.with_tls(tls.clone());
    }
    registry.check_exposure(REMEDIES, arguments.insecure)?;
    let scheme = if tls.is_some() { "wss" } else { "ws" };
    info!(
        "registry listening on {scheme}://{}/signaling/ws",
        registry.local_addr()
    );

    let shutdown = CancellationToken::new();
    let mut serving = std::pin::pin!(registry.run(shutdown.clone()));
    tokio::select! {
        () = serving.as_mut() => return Ok(()),
        name = signals.next_with_reloads(tls.as_ref()) => info!("{name}: stopping"),
    }
    shutdown.cancel();
    tokio::select! {
        () = serving => Ok(()),
        name = signals.next() => anyhow::bail!("{name} again: stopped at once"),
    }
}

/// Logs to stderr as much as `RUST_LOG` says (`debug`, or `warn,actr_lite_registry=trace`), or else from `info` on.
fn start_logging() {
    let asked = env::var("RUST_LOG").ok().and_then(|filter| filter.parse().ok());
    let filter = asked.unwrap_or_else(|| Targets::new().with_default(LevelFilter::INFO));
    let layer = tracing_subscriber::fmt::layer()
        .with_ansi(io::stderr().is_terminal())
        .with_writer(io::stderr);
    tracing_subscriber::registry().with(filter).with(layer).init();
}
