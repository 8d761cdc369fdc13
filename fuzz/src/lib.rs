//! What the targets share: none may take more memory than its input explains.

use std::alloc::System;

use actr_lite_fuzz_targets::{Target, memory_bound};
use cap::Cap;

#[global_allocator]
static ALLOCATOR: Cap<System> = Cap::new(System, usize::MAX);

/// Runs a target. If it takes more memory than [`memory_bound`] the process ends, as if there were no more.
pub fn run(target: Target, bytes: &[u8]) {
    limit(ALLOCATOR.allocated() + memory_bound(bytes.len()));
    target(bytes);
    limit(usize::MAX);
}

fn limit(bytes: usize) {
    let is_set = ALLOCATOR.set_limit(bytes);
    assert!(is_set.is_ok(), "more memory is taken than may be");
}
