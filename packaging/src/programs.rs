//! The command lines of the programs, as their sources have them. The programs are no libraries: nobody else should build on
//! their arguments.

use clap::{Command, CommandFactory as _};

#[path = "../../client/src/arguments.rs"]
#[allow(dead_code, reason = "only the program reads them")]
mod client;
#[path = "../../actr-lite/registry-server/src/arguments.rs"]
#[allow(dead_code, reason = "only the program reads them")]
mod registry;
#[path = "../../server/src/arguments.rs"]
#[allow(dead_code, reason = "only the program reads them")]
mod server;

/// A program that is installed.
pub(crate) struct Program {
    /// What it is called once it is installed.
    pub(crate) name: &'static str,
    /// Its arguments.
    pub(crate) command: Command,
    /// What its manual page has beside them.
    pub(crate) sections: &'static str,
}

/// All of them.
pub(crate) fn programs() -> [Program; 3] {
    [
        Program::new("stream-register-server", server::Arguments::command(), SERVER),
        Program::new("stream-register-client", client::Arguments::command(), CLIENT),
        Program::new("actr-lite-registry", registry::Arguments::command(), REGISTRY),
    ]
}

impl Program {
    fn new(name: &'static str, command: Command, sections: &'static str) -> Self {
        Self {
            name,
            command: command.name(name).bin_name(name).display_name(name),
            sections,
        }
    }
}

const SERVER: &str = include_str!("sections/server.roff");
const CLIENT: &str = include_str!("sections/client.roff");
const REGISTRY: &str = include_str!("sections/registry.roff");
