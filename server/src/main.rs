//! The command line of the server.

use std::{process::ExitCode, time::Duration};

use actr_lite::{ShutdownKind, Signals};
use actr_lite_cli::{NodeArguments, parse_duration};
use clap::Parser;
use tracing::info;

use server::EchoServer;

/// Pushes a stream of messages to each client that registers one
#[derive(Debug, Parser)]
#[command(version, name = "server")]
struct Arguments {
    #[command(flatten)]
    node: NodeArguments,

    /// Wait so long between two messages of a stream, such as 1s or 200ms; without it they go as fast as they are taken
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    interval: Option<Duration>,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    actr_lite_cli::run(&arguments.node, run(&arguments))
}

async fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let node = arguments.node.system()?.attach(EchoServer::new(arguments.interval));
    let mut signals = Signals::listen()?;
    let actr = tokio::select! {
        started = node.start() => started?,
        signal = signals.next() => {
            info!("{signal} before the node was up");
            return Ok(ExitCode::SUCCESS);
        }
    };
    info!("server ready as {}", actr.actor_id());
    match actr.shutdown_on(signals).await {
        ShutdownKind::Clean => Ok(ExitCode::SUCCESS),
        ShutdownKind::Forced => Ok(ExitCode::FAILURE),
    }
}
