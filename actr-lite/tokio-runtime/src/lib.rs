//! The Tokio runtime of a program.
//!
//! Tokio panics where the system gives it no thread, and hangs where it gives too few; the same goes for file
//! descriptors. Here both are errors that say what to do.
//!
//! - [`start`]: the runtime
//! - [`Apart`]: a future that may block
//! - `headroom`: whether there are as many threads and descriptors as a program needs
//! - `worker_threads`: how many threads the runtime has

mod apart;
mod headroom;
mod worker_threads;

use std::{
    io,
    num::NonZeroUsize,
    panic::{self, AssertUnwindSafe},
    sync::mpsc::{self, Receiver},
    time::{Duration, Instant},
};

use thiserror::Error;
use tokio::runtime::{Builder, Runtime};

pub use apart::Apart;
pub use headroom::HeadroomError;
pub use worker_threads::{WORKER_THREADS, WorkerThreadsError};

/// Why there is no runtime.
#[derive(Debug, Error)]
pub enum StartRuntimeError {
    /// The environment asks for what can't be.
    #[error(transparent)]
    WorkerThreads(#[from] WorkerThreadsError),
    /// The system gives too little.
    #[error(transparent)]
    Headroom(#[from] HeadroomError),
    /// There were enough threads, and others took them.
    #[error(
        "other programs took the threads that this one needs: raise the limit of processes and threads, `ulimit -u`, or that \
         of the container (pids); or end other programs"
    )]
    Taken,
    /// The system refuses for another reason.
    #[error("the asynchronous runtime cannot be started: {0}")]
    Refused(io::Error),
}

/// How long the threads of a runtime may take to start: they do nothing before, but the machine may be busy.
const START_TIMEOUT: Duration = Duration::from_secs(5);

/// Starts a runtime with a thread for each processor, or as many as `TOKIO_WORKER_THREADS` says. All of them run when it
/// returns.
///
/// # Errors
/// When the system does not give what a program needs. What was started by then ends with the process.
pub fn start() -> Result<Runtime, StartRuntimeError> {
    let workers = worker_threads::from_environment()?;
    headroom::check_threads(workers)?;
    headroom::check_descriptors()?;
    let (started, starts) = mpsc::channel();
    let mut builder = Builder::new_multi_thread();
    builder.worker_threads(workers.get()).enable_all();
    builder.on_thread_start(move || {
        // Later ones are not waited for.
        let _ = started.send(());
    });
    let runtime = without_panic(|| builder.build())?;
    if all_start(workers, &starts) {
        Ok(runtime)
    } else {
        // Its threads may wait for those that do not start.
        runtime.shutdown_background();
        Err(StartRuntimeError::Taken)
    }
}

/// Builds something that panics where the system gives no thread: others can take one after it was looked for.
fn without_panic<T>(build: impl FnOnce() -> io::Result<T>) -> Result<T, StartRuntimeError> {
    let hook = panic::take_hook();
    // It says less than the error.
    panic::set_hook(Box::new(|_| {}));
    let built = panic::catch_unwind(AssertUnwindSafe(build));
    panic::set_hook(hook);
    built
        .map_err(|_| StartRuntimeError::Taken)?
        .map_err(StartRuntimeError::Refused)
}

/// Whether so many threads start in time. Tokio goes on without those for which there is no room, and then tasks that
/// they were to run may never run.
fn all_start(workers: NonZeroUsize, starts: &Receiver<()>) -> bool {
    let deadline = Instant::now() + START_TIMEOUT;
    (0..workers.get()).all(|_| {
        let left = deadline.saturating_duration_since(Instant::now());
        starts.recv_timeout(left).is_ok()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_that_is_refused_is_an_error_that_says_so() {
        let refused = without_panic::<Runtime>(|| panic!("OS can't spawn worker thread"));
        let error = refused.unwrap_err().to_string();
        assert!(error.contains("ulimit -u"), "{error}");
    }

    #[test]
    fn a_runtime_needs_all_of_its_threads() {
        let (started, starts) = mpsc::channel();
        let two = NonZeroUsize::MIN.saturating_add(1);
        started.send(()).unwrap();
        started.send(()).unwrap();
        assert!(all_start(two, &starts));
        started.send(()).unwrap();
        drop(started);
        assert!(!all_start(two, &starts));
    }

    #[test]
    fn a_runtime_runs_tasks() {
        let runtime = start().unwrap();
        let task = runtime.spawn(async { 1 });
        assert_eq!(runtime.block_on(task).unwrap(), 1);
    }
}
