//! The server of stream-register: whoever registers a stream gets its messages pushed.

mod echo_server;

use std::{process::ExitCode, time::Duration};

use actr_lite_cli::{NodeArguments, parse_duration};
use clap::Parser;

use crate::echo_server::EchoServer;

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
    actr_lite_cli::serve(&arguments.node, EchoServer::new(arguments.interval))
}
