//! What threads meet at. The package that tries every order of threads has those of loom in its place.

pub(crate) use std::sync::{
    Mutex, MutexGuard,
    atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering},
};

pub(crate) use tokio::sync::Notify;
