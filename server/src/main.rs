//! The server of stream-register: it pushes messages to each client that registers a stream.

mod arguments;
mod echo_server;

use std::process::ExitCode;

use clap::Parser;

use crate::{arguments::Arguments, echo_server::EchoServer};

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    actr_lite_cli::serve(&arguments.node, EchoServer::new(arguments.interval))
}
