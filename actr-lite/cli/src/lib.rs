//! What the command lines of nodes share.
//!
//! - [`NodeArguments`]: `--actr-toml`, `--config`, `-v` and `-q`
//! - [`serve`]: a whole program that only runs its node
//! - [`RunningNode`]: a node that signals stop, for programs that do something with it
//! - [`LockArguments`] and [`update_lock`]: `--update-lock`, and what it does
//! - [`run`]: a program's frame: logs to stderr, one line for an error, the exit code
//! - [`print()`]: a program's result on stdout
//! - [`parse_duration`]: `500ms`, `30s`, `2m`

mod node_arguments;
mod running_node;
mod update_lock;

use std::{future::Future, process::ExitCode, time::Duration};

pub use actr_lite_terminal::print;
pub use node_arguments::NodeArguments;
pub use running_node::{Interrupted, RunningNode, serve, until_signal};
pub use update_lock::{LockArguments, update_lock};

/// Runs a program in a Tokio runtime, with its logs on stderr. An error becomes one line on stderr and exit code 1.
pub fn run<F>(arguments: &NodeArguments, program: F) -> ExitCode
where
    F: Future<Output = anyhow::Result<ExitCode>>,
{
    let logging = arguments.start_logging();
    let result = match actr_lite_tokio_runtime::start() {
        Ok(runtime) => {
            let result = runtime.block_on(program);
            // A second signal leaves tasks behind that nobody wants to wait for.
            runtime.shutdown_background();
            result
        }
        Err(error) => Err(error.into()),
    };
    logging.end(result)
}

/// The longest duration that an argument may give: longer ones are mistakes.
const MAX_DURATION: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// A duration as a person writes it: `500ms`, `30s`, `2m`.
///
/// # Errors
/// If the text is not a duration, or one longer than a year; the error says what is expected.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    let duration =
        humantime::parse_duration(text).map_err(|error| format!("{error}; write it like 500ms, 30s or 2m"))?;
    if duration > MAX_DURATION {
        return Err("longer than a year; write it like 500ms, 30s or 2m".into());
    }
    Ok(duration)
}
