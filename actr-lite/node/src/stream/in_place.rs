use std::{
    mem,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Wake, Waker},
    time::{Duration, Instant},
};

use futures_util::future::BoxFuture;
use tokio::runtime::Handle;

use crate::tasks::Tasks;

/// A callback that takes longer than this for the frames of one batch gets a task of its own: until then the connection
/// is not read. Callbacks that count or log take a hundredth of it.
const MAX_TURN: Duration = Duration::from_millis(2);

/// The future that runs a stream's callback, before it needs a task of its own.
///
/// As long as the callback only waits for the next frame, the task that brings frames polls it in place: data that was
/// just read is still in the processor's cache, and no other thread has to wake up for it. The first time the callback
/// waits for something else, takes long, or is woken from elsewhere, the future becomes a task, for good.
///
/// Waking it spawns that task, and a runtime that is being dropped drops it on the spot, with all that the application
/// keeps in its callback: so nobody may wake it while holding a lock.
pub(crate) struct InPlace {
    state: Mutex<State>,
    tasks: Tasks,
    runtime: Handle,
}

type StreamFuture = BoxFuture<'static, ()>;

enum State {
    /// It waits for frames.
    Waiting(StreamFuture),
    /// It is being polled.
    Polled { woken: bool },
    /// It is a task, or over.
    Gone,
}

impl InPlace {
    /// Polls it for the first time.
    pub(crate) fn start(tasks: Tasks, future: BoxFuture<'static, ()>) -> Arc<Self> {
        let state = Mutex::new(State::Waiting(future));
        let in_place = Arc::new(Self {
            state,
            tasks,
            runtime: Handle::current(),
        });
        if let Some(turn) = in_place.begin() {
            turn.run(|| true);
        }
        in_place
    }

    /// Takes the future to poll it after something was brought for it; `None` if it is a task already.
    pub(crate) fn begin(self: &Arc<Self>) -> Option<Turn> {
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

    fn spawn(&self, future: StreamFuture) {
        let stop = self.tasks.stop().clone();
        let stream = async move {
            tokio::select! {
                () = future => {}
                () = stop.cancelled() => {}
            }
        };
        self.tasks.spawn_runtime_on(&self.runtime, "a stream", Box::pin(stream));
    }
}

impl Wake for InPlace {
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
                self.spawn(future);
            }
        }
    }
}

/// The right to poll the future. Dropped without that, it makes the future a task.
pub(crate) struct Turn {
    in_place: Arc<InPlace>,
    future: Option<StreamFuture>,
}

impl Turn {
    /// Polls the future. `waits_for_frames` tells, after that, whether it waits for the next frame.
    pub(crate) fn run(mut self, waits_for_frames: impl FnOnce() -> bool) {
        let Some(mut future) = self.future.take() else { return };
        // What woke it so far is what this turn is for.
        *self.in_place.lock() = State::Polled { woken: false };
        let waker = Waker::from(Arc::clone(&self.in_place));
        let begin = Instant::now();
        if future.as_mut().poll(&mut Context::from_waker(&waker)).is_ready() {
            *self.in_place.lock() = State::Gone;
            return;
        }
        let may_stay = begin.elapsed() <= MAX_TURN && waits_for_frames();
        let mut state = self.in_place.lock();
        if may_stay && matches!(*state, State::Polled { woken: false }) {
            *state = State::Waiting(future);
            return;
        }
        *state = State::Gone;
        drop(state);
        self.in_place.spawn(future);
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        if let Some(future) = self.future.take() {
            *self.in_place.lock() = State::Gone;
            self.in_place.spawn(future);
        }
    }
}
