//! The server of stream-register: it pushes messages to each client that registers a stream.

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

    /// How long to wait between two messages of a stream, such as 1s or 200ms; by default they go as fast as they are
    /// taken
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    interval: Option<Duration>,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    actr_lite_cli::serve(&arguments.node, EchoServer::new(arguments.interval))
}
