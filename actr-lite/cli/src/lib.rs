//! What the command lines of nodes share.
//!
//! - [`NodeArguments`]: `--actr-toml`, `--config`, `-v` and `-q`
//! - [`serve`]: a whole program that only runs its node
//! - [`RunningNode`]: a node that signals stop, for programs that do something with it
//! - [`check()`]: `--check`, which only looks at the configuration
//! - [`LockArguments`] and [`update_lock`]: `--update-lock`, and what it does
//! - [`run`]: a program's frame: logs to stderr, one line for an error, the exit code
//! - [`print()`]: a program's result on stdout
//! - [`parse_duration`], [`parse_timeout`]: `500ms`, `30s`, `2m`

mod check;
mod node_arguments;
mod running_node;
mod traces;
mod update_lock;

use std::{future::Future, process::ExitCode, time::Duration};

use actr_lite_net::inherited;
pub use actr_lite_terminal::print;
pub use check::check;
pub use node_arguments::NodeArguments;
pub use running_node::{Interrupted, RunningNode, serve, until_signal};
pub use update_lock::{LockArguments, update_lock};

use crate::traces::Traces;

/// Runs a program in a Tokio runtime, with its logs on stderr. An error becomes one line on stderr and exit code 1.
pub fn run<F>(arguments: &NodeArguments, program: F) -> ExitCode
where
    F: Future<Output = anyhow::Result<ExitCode>>,
{
    // Before there are threads.
    let adopted = inherited::adopt();
    let (traces, layer) = Traces::start();
    let logging = arguments.start_logging(layer);
    traces.say_problem();
    let run = || {
        adopted?;
        let runtime = actr_lite_tokio_runtime::start()?;
        let result = runtime.block_on(program);
        // A second signal leaves tasks behind that nobody wants to wait for.
        runtime.shutdown_background();
        result
    };
    let result = run();
    traces.end();
    logging.end(result)
}

/// The longest duration that an argument may give, as long as `1y` is: longer ones are mistakes.
const MAX_DURATION: Duration = Duration::from_secs(31_557_600);

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

/// A duration that something may take.
///
/// # Errors
/// Those of [`parse_duration`], and if nothing can be done in it.
pub fn parse_timeout(text: &str) -> Result<Duration, String> {
    match parse_duration(text)? {
        Duration::ZERO => Err("it has to be longer than 0; write it like 500ms, 30s or 2m".into()),
        timeout => Ok(timeout),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_is_at_most_a_year_as_a_person_writes_it() {
        for (text, seconds) in [("0s", 0), ("30s", 30), ("1year", 31_557_600), ("1y", 31_557_600)] {
            assert_eq!(parse_duration(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
        for text in ["366d", "1y 1s", "2years", "99999999999999999999s"] {
            assert!(parse_duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_timeout_is_longer_than_nothing() {
        assert!(parse_timeout("0s").unwrap_err().contains("longer than 0"));
        assert_eq!(parse_timeout("1ns"), Ok(Duration::from_nanos(1)));
    }
}
