use std::{
    env,
    ffi::{OsStr, OsString},
    num::NonZeroUsize,
    thread,
};

use thiserror::Error;

/// The environment variable that says how many threads run tasks, for all programs with Tokio.
pub const WORKER_THREADS: &str = "TOKIO_WORKER_THREADS";

/// The most threads that it may ask for: the most processors that a machine has, several times.
const MAX_WORKERS: usize = 4096;

/// The variable does not say a number of threads.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{WORKER_THREADS}={}: write a number from 1 to {MAX_WORKERS}, or unset it: then there is one for each processor", .0.display())]
pub struct WorkerThreadsError(OsString);

/// What the variable says; without it one for each processor.
pub(crate) fn from_environment() -> Result<NonZeroUsize, WorkerThreadsError> {
    match env::var_os(WORKER_THREADS) {
        Some(value) => parse(&value),
        None => Ok(thread::available_parallelism().unwrap_or(NonZeroUsize::MIN)),
    }
}

fn parse(value: &OsStr) -> Result<NonZeroUsize, WorkerThreadsError> {
    let number = value.to_str().and_then(|text| text.parse::<NonZeroUsize>().ok());
    number
        .filter(|number| number.get() <= MAX_WORKERS)
        .ok_or_else(|| WorkerThreadsError(value.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_of_threads_is_at_least_one() {
        assert_eq!(parse("1".as_ref()).unwrap().get(), 1);
        assert_eq!(parse("4096".as_ref()).unwrap().get(), 4096);
        for value in ["", "0", "-1", "two", "4097"] {
            let error = parse(value.as_ref()).unwrap_err().to_string();
            assert!(error.starts_with(&format!("TOKIO_WORKER_THREADS={value}: ")), "{error}");
        }
    }
}
