use std::{
    future::{Future, poll_fn},
    mem,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Wake, Waker},
    time::{Duration, Instant},
};

use futures_util::task::AtomicWaker;

use crate::tasks::Tasks;

/// A callback that takes longer than this for the frames of one batch gets a task of its own: until then the connection
/// is not read. Callbacks that count or log take a hundredth of it.
const MAX_TURN: Duration = Duration::from_millis(2);

/// The future that runs a stream's callback, before it needs a task of its own.
///
/// As long as the callback waits for nothing but the next frame, whoever brings frames polls it in place: data that was
/// just read is still in the processor's cache, and no other thread has to wake up for it. The first time the callback
/// waits for something else, takes long, or is woken from elsewhere, a task that stands by takes the future over, for
/// good. So a wake only ever schedules: it runs and drops nothing of the application, whatever lock its caller holds.
pub(crate) struct InPlace {
    state: Mutex<State>,
    /// The task that stands by.
    task: AtomicWaker,
}

type StreamFuture = Pin<Box<dyn Future<Output = ()> + Send>>;

enum State {
    /// It waits for frames.
    Waiting(StreamFuture),
    /// Somebody polls it.
    Polled { woken: bool },
    /// The task is to take it over.
    HandedOver(StreamFuture),
    /// The task has it, or it is over.
    Gone,
}

impl InPlace {
    /// Polls it for the first time.
    pub(crate) fn start(tasks: &Tasks, future: impl Future<Output = ()> + Send + 'static) -> Arc<Self> {
        let state = Mutex::new(State::Waiting(Box::pin(future)));
        let in_place = Arc::new(Self {
            state,
            task: AtomicWaker::new(),
        });
        let stand_by = StandBy(Arc::clone(&in_place));
        tasks.spawn_runtime("a stream", async move {
            if let Some(future) = stand_by.take_over().await {
                future.await;
            }
        });
        if let Some(turn) = in_place.begin() {
            turn.run(|| true);
        }
        in_place
    }

    /// Takes the future to poll it after something was brought for it; none where the task has it.
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

    fn hand_over(&self, future: StreamFuture) {
        let mut state = self.lock();
        // The task may have been dropped meanwhile, with its runtime: then so is the future, and without the lock.
        if !matches!(*state, State::Gone) {
            *state = State::HandedOver(future);
        }
        drop(state);
        self.task.wake();
    }
}

impl Wake for InPlace {
    fn wake(self: Arc<Self>) {
        let mut state = self.lock();
        match mem::replace(&mut *state, State::Gone) {
            State::Polled { .. } => *state = State::Polled { woken: true },
            State::Waiting(future) => {
                *state = State::HandedOver(future);
                drop(state);
                self.task.wake();
            }
            other => *state = other,
        }
    }
}

/// The task's side. When the task is dropped, so is a future that it has not taken over.
struct StandBy(Arc<InPlace>);

impl StandBy {
    /// Waits until the future is to be taken over; none when it is over.
    async fn take_over(&self) -> Option<StreamFuture> {
        poll_fn(|cx| {
            self.0.task.register(cx.waker());
            let mut state = self.0.lock();
            match mem::replace(&mut *state, State::Gone) {
                State::HandedOver(future) => Poll::Ready(Some(future)),
                State::Gone => Poll::Ready(None),
                other => {
                    *state = other;
                    Poll::Pending
                }
            }
        })
        .await
    }
}

impl Drop for StandBy {
    fn drop(&mut self) {
        let left = mem::replace(&mut *self.0.lock(), State::Gone);
        // Dropped without the lock: what the application keeps in its callback may do anything.
        drop(left);
    }
}

/// The right to poll the future. Dropped without that, it lets the task take over.
pub(crate) struct Turn {
    in_place: Arc<InPlace>,
    future: Option<StreamFuture>,
}

impl Turn {
    /// Polls the future. `waits_for_frames` tells, after that, whether it waits for the next frame.
    pub(crate) fn run(mut self, waits_for_frames: impl FnOnce() -> bool) {
        let Some(mut future) = self.future.take() else { return };
        // What woke it so far is what this turn is for.
        if let State::Polled { woken } = &mut *self.in_place.lock() {
            *woken = false;
        }
        let waker = Waker::from(Arc::clone(&self.in_place));
        let begin = Instant::now();
        if future.as_mut().poll(&mut Context::from_waker(&waker)).is_ready() {
            *self.in_place.lock() = State::Gone;
            self.in_place.task.wake();
            return;
        }
        let may_stay = begin.elapsed() <= MAX_TURN && waits_for_frames();
        let mut state = self.in_place.lock();
        if may_stay && matches!(*state, State::Polled { woken: false }) {
            *state = State::Waiting(future);
            return;
        }
        drop(state);
        self.in_place.hand_over(future);
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        if let Some(future) = self.future.take() {
            self.in_place.hand_over(future);
        }
    }
}
