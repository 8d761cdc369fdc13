use std::time::Duration;

use actr_lite_cli::{LockArguments, NodeArguments, parse_timeout};
use clap::Parser;

/// Registers a stream at a server, and receives its messages
#[derive(Debug, Parser)]
#[command(version, name = "client")]
pub(crate) struct Arguments {
    #[command(flatten)]
    pub(crate) node: NodeArguments,

    /// How many messages to ask for
    #[arg(
        value_name = "MESSAGE_COUNT",
        value_parser = parse_count,
        allow_negative_numbers = true,
        required_unless_present_any = ["update_lock", "check"],
        conflicts_with = "update_lock"
    )]
    pub(crate) message_count: Option<i32>,

    /// How long it may be without a message, at the start and after each break: to find a server, connect, register,
    /// and receive its first message
    #[arg(long, value_name = "DURATION", value_parser = parse_timeout, default_value = "30s")]
    pub(crate) timeout: Duration,

    /// Ask another server if the one that sends has sent nothing for this long; by default it may be as slow as it
    /// likes
    #[arg(long, value_name = "DURATION", value_parser = parse_timeout)]
    pub(crate) idle_timeout: Option<Duration>,

    /// Print the summary as one JSON object
    #[arg(long, conflicts_with = "update_lock")]
    pub(crate) json: bool,

    #[command(flatten)]
    pub(crate) lock: LockArguments,
}

fn parse_count(text: &str) -> Result<i32, String> {
    let expected = || format!("expected a whole number from 0 to {}", i32::MAX);
    text.parse().ok().filter(|count| *count >= 0).ok_or_else(expected)
}
