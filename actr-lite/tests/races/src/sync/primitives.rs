pub(crate) use loom::sync::{
    Mutex, MutexGuard,
    atomic::{AtomicU8, Ordering},
};

pub(crate) use crate::sync::notify::Notify;
