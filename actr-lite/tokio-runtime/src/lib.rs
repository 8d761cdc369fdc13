//! The Tokio runtime of a program.
//!
//! Tokio panics where the system gives it no thread, and hangs where it gives too few; the same goes for file
//! descriptors. Here both are errors that say what to do.
//!
//! - [`start`]: the runtime
//! - `headroom`: whether there are as many threads and descriptors as a program needs
//! - `worker_threads`: how many threads the runtime has

mod headroom;
mod worker_threads;

use std::io;

use thiserror::Error;
use tokio::runtime::{Builder, Runtime};

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
    /// The system refuses for another reason.
    #[error("the asynchronous runtime cannot be started: {0}")]
    Refused(io::Error),
}

/// Starts a runtime with a thread for each processor, or as many as `TOKIO_WORKER_THREADS` says.
///
/// # Errors
/// When the system does not give what a program needs.
pub fn start() -> Result<Runtime, StartRuntimeError> {
    let workers = worker_threads::from_environment()?;
    headroom::check_threads(workers)?;
    headroom::check_descriptors()?;
    let mut builder = Builder::new_multi_thread();
    let built = builder.worker_threads(workers.get()).enable_all().build();
    built.map_err(StartRuntimeError::Refused)
}
