use std::time::Duration;

use actr_lite_cli::{NodeArguments, parse_duration};
use clap::Parser;

/// Pushes a stream of messages to each client that registers one
#[derive(Debug, Parser)]
#[command(version, name = "server")]
pub(crate) struct Arguments {
    #[command(flatten)]
    pub(crate) node: NodeArguments,

    /// How long to wait between two messages of a stream, such as 1s or 200ms; by default they go as fast as they are
    /// taken
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    pub(crate) interval: Option<Duration>,
}
