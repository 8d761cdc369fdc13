//! What the targets share: none may take more memory than its input explains.

use std::alloc::System;

use actr_lite_fuzz_targets::Target;
use cap::Cap;

#[global_allocator]
static ALLOCATOR: Cap<System> = Cap::new(System, usize::MAX);

/// Runs the target of this name. If it takes more memory than [`Target::memory_bound`] the process ends, as if there were
/// no more.
pub fn run(name: &str, bytes: &[u8]) {
    let Some(target) = Target::named(name) else {
        panic!("there is no target {name}");
    };
    limit(ALLOCATOR.allocated() + target.memory_bound(bytes.len()));
    (target.check)(bytes);
    limit(usize::MAX);
}

fn limit(bytes: usize) {
    let is_set = ALLOCATOR.set_limit(bytes);
    assert!(is_set.is_ok(), "more memory is taken than may be");
}
