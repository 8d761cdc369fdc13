//! A future that the task that brings something for it polls in place, as long as that is harmless.

use std::{
    mem,
    sync::{Arc, PoisonError},
    task::{Context, Wake, Waker},
};

use futures_util::future::BoxFuture;

use crate::sync::primitives::{Mutex, MutexGuard};

/// Makes a task of a future that can't stay in place.
pub(crate) trait Spawn: Send + Sync + 'static {
    /// Spawns it. May be called from any thread, and never under a lock of [`InPlace`].
    fn spawn(&self, future: BoxFuture<'static, ()>);
}

/// A future that waits for something, before it needs a task of its own.
///
/// As long as it only waits for what is brought, whoever brings that polls it in place: data that was just read is still
/// in the processor's cache, and no other thread has to wake up for it. The first time it waits for something else, takes
/// long, or is woken from elsewhere, it becomes a task, for good.
///
/// Waking it spawns that task, and a runtime that is being dropped drops it on the spot, with all that the future owns: so
/// nobody may wake it while holding a lock.
pub(crate) struct InPlace<S> {
    state: Mutex<State>,
    spawner: S,
}

enum State {
    /// It waits for what is brought.
    Waiting(BoxFuture<'static, ()>),
    /// It is being polled.
    Polled { woken: bool },
    /// It is a task, or over.
    Gone,
}

impl<S: Spawn> InPlace<S> {
    /// Polls it for the first time. `may_stay` tells, after that, whether it may wait in place.
    pub(crate) fn start(spawner: S, future: BoxFuture<'static, ()>, may_stay: impl FnOnce() -> bool) -> Arc<Self> {
        let state = Mutex::new(State::Waiting(future));
        let in_place = Arc::new(Self { state, spawner });
        if let Some(turn) = in_place.begin() {
            turn.run(may_stay);
        }
        in_place
    }

    /// Takes the future to poll it after something was brought for it; `None` if it is a task already, or another thread
    /// polls it.
    pub(crate) fn begin(self: &Arc<Self>) -> Option<Turn<S>> {
        let mut state = self.lock();
        match mem::replace(&mut *state, State::Polled { woken: false }) {
            State::Waiting(future) => Some(Turn {
                in_place: Arc::clone(self),
                future: Some(future),
            }),
            other => {
                *state = other;
                None
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<S: Spawn> Wake for InPlace<S> {
    fn wake(self: Arc<Self>) {
        let mut state = self.lock();
        match &mut *state {
            State::Polled { woken } => *woken = true,
            State::Gone => {}
            State::Waiting(_) => {
                let State::Waiting(future) = mem::replace(&mut *state, State::Gone) else {
                    return;
                };
                drop(state);
                self.spawner.spawn(future);
            }
        }
    }
}

/// The right to poll the future. Dropped without that, it makes the future a task.
pub(crate) struct Turn<S: Spawn> {
    in_place: Arc<InPlace<S>>,
    future: Option<BoxFuture<'static, ()>>,
}

impl<S: Spawn> Turn<S> {
    /// Polls the future. `may_stay` tells, after that, whether it waits for no more than what is brought.
    pub(crate) fn run(mut self, may_stay: impl FnOnce() -> bool) {
        let Some(mut future) = self.future.take() else { return };
        // What woke it so far is what this turn is for.
        *self.in_place.lock() = State::Polled { woken: false };
        let waker = Waker::from(Arc::clone(&self.in_place));
        if future.as_mut().poll(&mut Context::from_waker(&waker)).is_ready() {
            *self.in_place.lock() = State::Gone;
            return;
        }
        let may_stay = may_stay();
        let mut state = self.in_place.lock();
        if may_stay && matches!(*state, State::Polled { woken: false }) {
            *state = State::Waiting(future);
            return;
        }
        *state = State::Gone;
        drop(state);
        self.in_place.spawner.spawn(future);
    }
}

impl<S: Spawn> Drop for Turn<S> {
    fn drop(&mut self) {
        if let Some(future) = self.future.take() {
            *self.in_place.lock() = State::Gone;
            self.in_place.spawner.spawn(future);
        }
    }
}
