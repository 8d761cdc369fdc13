//! The client of stream-register: it asks a server for a stream of messages, and receives them.

mod arguments;
mod local_stream_service;
mod outcome;
mod progress;
mod reception;
mod run;

use std::process::ExitCode;

use clap::Parser;

use crate::arguments::Arguments;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    actr_lite_cli::run(&arguments.node, run::run(&arguments))
}
