//! What threads meet at. The tests of this crate run under loom, and have its primitives here.

#[cfg(not(test))]
pub(crate) use std::sync::{
    Mutex, MutexGuard,
    atomic::{AtomicU8, Ordering},
};

#[cfg(test)]
pub(crate) use loom::sync::{
    Mutex, MutexGuard,
    atomic::{AtomicU8, Ordering},
};
#[cfg(test)]
pub(crate) use modelled::Notify;
#[cfg(not(test))]
pub(crate) use tokio::sync::Notify;

#[cfg(test)]
mod modelled;
