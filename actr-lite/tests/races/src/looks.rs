//! A waker that uses what it is woken by: under a lock that is a deadlock, which loom finds.

use std::{
    sync::{
        Arc, Weak,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Wake, Waker},
};

/// Looks at `at` when it is woken, and when it is dropped.
pub(crate) struct Looks<T> {
    at: Weak<T>,
    look: fn(&T),
    woken: AtomicUsize,
}

impl<T: Send + Sync + 'static> Looks<T> {
    pub(crate) fn new(at: &Arc<T>, look: fn(&T)) -> Arc<Self> {
        Arc::new(Self {
            at: Arc::downgrade(at),
            look,
            woken: AtomicUsize::new(0),
        })
    }

    pub(crate) fn waker(self: &Arc<Self>) -> Waker {
        Waker::from(Arc::clone(self))
    }

    /// How often it was woken since the last time.
    pub(crate) fn woken(&self) -> usize {
        self.woken.swap(0, Ordering::SeqCst)
    }
}

impl<T: Send + Sync + 'static> Wake for Looks<T> {
    fn wake(self: Arc<Self>) {
        self.woken.fetch_add(1, Ordering::SeqCst);
        if let Some(at) = self.at.upgrade() {
            (self.look)(&at);
        }
    }
}

impl<T> Drop for Looks<T> {
    fn drop(&mut self) {
        if let Some(at) = self.at.upgrade() {
            (self.look)(&at);
        }
    }
}
