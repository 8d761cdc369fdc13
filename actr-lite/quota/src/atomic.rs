//! What threads count with. The package that tries every order of threads has those of loom in its place.

pub(crate) use std::sync::atomic::{AtomicUsize, Ordering};
