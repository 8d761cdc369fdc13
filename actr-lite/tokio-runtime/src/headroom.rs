use std::{
    fs, io,
    num::NonZeroUsize,
    sync::{Arc, RwLock},
    thread,
    time::Duration,
};

use thiserror::Error;

/// Threads that a program needs beside those that run tasks: one writes to stderr, one to stdout, one starts the
/// node or the registry, and two look up names.
const OTHER_THREADS: usize = 5;

/// Descriptors that a program needs beside what it has when it starts: some six of the runtime, and the rest for
/// listeners, files that it reads, and the first few connections.
const DESCRIPTORS: usize = 16;

/// How often, and how long each time, is waited for a thread that has ended to count no more: as a rule it does not count at
/// once.
const ATTEMPTS: u32 = 100;
const PAUSE: Duration = Duration::from_millis(1);

/// The system gives less than a program needs.
#[derive(Debug, Error)]
pub enum HeadroomError {
    /// Threads.
    #[error(
        "the system gives this program {had} of the {needed} threads that it needs ({error}): raise the limit of processes \
         and threads, `ulimit -u` ({limit} for all that this user runs), or that of the container (pids); or end other \
         programs"
    )]
    Threads {
        /// How many there were.
        had: usize,
        /// How many there have to be.
        needed: usize,
        /// The limit as `ulimit -u` shows it.
        limit: String,
        /// What the system says.
        error: io::Error,
    },
    /// File descriptors.
    #[error(
        "the system gives this program {had} of the {needed} file descriptors that it needs to start ({error}): raise the \
         limit of open files, `ulimit -n` ({limit})"
    )]
    Descriptors {
        /// How many there were.
        had: usize,
        /// How many there have to be.
        needed: usize,
        /// The limit as `ulimit -n` shows it.
        limit: String,
        /// What the system says.
        error: io::Error,
    },
}

/// Whether so many workers and the other threads of a program can run at once: for a moment they do.
pub(crate) fn check_threads(workers: NonZeroUsize) -> Result<(), HeadroomError> {
    let needed = workers.get() + OTHER_THREADS;
    let before = count_threads();
    let gate = Arc::new(RwLock::new(()));
    let closed = gate.write();
    let mut threads = Vec::with_capacity(needed);
    let mut refusal = None;
    while threads.len() < needed && refusal.is_none() {
        let gate = Arc::clone(&gate);
        match thread::Builder::new().spawn(move || drop(gate.read())) {
            Ok(thread) => threads.push(thread),
            Err(error) => refusal = Some(error),
        }
    }
    drop(closed);
    let had = threads.len();
    for thread in threads {
        // It did nothing that can fail.
        let _ = thread.join();
    }
    wait_for_threads(before);
    match refusal {
        None => Ok(()),
        Some(error) => Err(HeadroomError::Threads {
            had,
            needed,
            limit: limit(Limit::Threads),
            error,
        }),
    }
}

/// Whether so many file descriptors can be had at once: for a moment they are.
pub(crate) fn check_descriptors() -> Result<(), HeadroomError> {
    let mut pipes = Vec::with_capacity(DESCRIPTORS / 2);
    while pipes.len() < DESCRIPTORS / 2 {
        match io::pipe() {
            Ok(pipe) => pipes.push(pipe),
            Err(error) => {
                return Err(HeadroomError::Descriptors {
                    had: 2 * pipes.len(),
                    needed: DESCRIPTORS,
                    limit: limit(Limit::Descriptors),
                    error,
                });
            }
        }
    }
    Ok(())
}

/// How many threads this process has, where the system tells it.
fn count_threads() -> Option<usize> {
    Some(fs::read_dir("/proc/self/task").ok()?.count())
}

/// Waits until there are no more threads than so many: one that was joined still counts for a moment.
fn wait_for_threads(before: Option<usize>) {
    for _ in 0..ATTEMPTS {
        if count_threads() <= before {
            break;
        }
        thread::sleep(PAUSE);
    }
}

enum Limit {
    Threads,
    Descriptors,
}

/// As `ulimit` shows it.
#[cfg(unix)]
fn limit(limit: Limit) -> String {
    use rustix::process::{Resource, getrlimit};
    let resource = match limit {
        Limit::Threads => Resource::Nproc,
        Limit::Descriptors => Resource::Nofile,
    };
    getrlimit(resource)
        .current
        .map_or_else(|| "unlimited".into(), |limit| limit.to_string())
}

#[cfg(not(unix))]
fn limit(_limit: Limit) -> String {
    "unknown here".into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_program_needs_is_there_and_given_back() {
        let before = count_threads();
        for _ in 0..10 {
            check_threads(NonZeroUsize::MIN).unwrap();
            check_descriptors().unwrap();
        }
        // Other tests run in threads of this process.
        assert!(count_threads() <= before.map(|before| before + OTHER_THREADS));
    }
}
