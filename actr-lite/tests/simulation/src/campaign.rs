//! Many schedules, on all cores.

use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
};

use crate::world::{Counts, Outcome};

/// How many seeds a thread takes at a time.
const CHUNK: u64 = 16;

/// Runs the schedules of `count` seeds from `first` on, each with `run`.
///
/// # Errors
/// The first failure that is found.
pub fn campaign(first: u64, count: u64, run: fn(u64) -> Result<Outcome, String>) -> Result<Counts, String> {
    let threads = thread::available_parallelism().map_or(1, usize::from);
    let next = AtomicU64::new(0);
    let stop = AtomicBool::new(false);
    let result = Mutex::new(Ok(Counts::default()));
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                let mut sum = Counts::default();
                while !stop.load(Ordering::Relaxed) {
                    let begin = next.fetch_add(CHUNK, Ordering::Relaxed);
                    for seed in begin..(begin + CHUNK).min(count) {
                        match run(first.wrapping_add(seed)) {
                            Ok(outcome) => sum += outcome.counts,
                            Err(failure) => {
                                stop.store(true, Ordering::Relaxed);
                                *result.lock().unwrap_or_else(PoisonError::into_inner) = Err(failure);
                                return;
                            }
                        }
                    }
                    if begin >= count {
                        break;
                    }
                }
                if let Ok(total) = &mut *result.lock().unwrap_or_else(PoisonError::into_inner) {
                    *total += sum;
                }
            });
        }
    });
    result.into_inner().unwrap_or_else(PoisonError::into_inner)
}
