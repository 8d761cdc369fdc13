//! What threads count with. The tests in `src` run under loom, and have its atomics here.

#[cfg(test)]
pub(crate) use loom::sync::atomic::{AtomicUsize, Ordering};
#[cfg(not(test))]
pub(crate) use std::sync::atomic::{AtomicUsize, Ordering};
