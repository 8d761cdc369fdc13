use std::{
    ops::Range,
    sync::{Arc, OnceLock, PoisonError},
    task::{Context, Poll, Waker},
};

use actr_lite_engine::inbox::{self, MAX_WAITING_WITHOUT_CREDIT, Next, Pushed};
use actr_lite_quota::Permit;
use actr_lite_wire::{
    control::Control,
    identity::{ActrId, StreamId},
    peer_text::PeerText,
};
use bytes::Bytes;
use tokio::time::Instant;

use crate::{
    stream::{
        in_place::{InPlace, StreamTasks, is_short_turn},
        stream_end::StreamEnd,
        uplink::Uplink,
    },
    sync::{
        in_place::Turn,
        primitives::{AtomicBool, AtomicU64, Mutex, MutexGuard, Ordering},
    },
};

/// The frames of one subscription that came and were not taken yet.
///
/// [`inbox::Inbox`] decides what waits and what is granted; this has the lock and the wakers.
pub(crate) struct Inbox {
    stream_id: StreamId,
    /// The only actor that may feed it.
    sender: ActrId,
    /// Nobody wants what is left of it.
    abandoned: AtomicBool,
    /// How many frames are known to be missing.
    dropped: AtomicU64,
    /// The callback, if there is one: the task that pushes polls it.
    in_place: OnceLock<Arc<InPlace>>,
    state: Mutex<State>,
}

struct State {
    waiting: inbox::Inbox<StreamEnd>,
    /// For what the window has grown, as long as so much may come or wait.
    grown: Option<Permit>,
    /// From when on the window counts time.
    started: Instant,
    /// The connection that feeds it, from its first record on.
    source: Option<Arc<Uplink>>,
    reader: Option<Waker>,
    driver: Option<Waker>,
}

/// Why a connection does not feed an inbox.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Unbound {
    /// Nobody waits for it, another connection feeds it, or it is over.
    Unknown,
    /// The registration names another sender.
    OtherSender,
}

impl Inbox {
    pub(crate) fn new(stream_id: StreamId, sender: ActrId) -> Arc<Self> {
        Arc::new(Self {
            stream_id,
            sender,
            abandoned: AtomicBool::new(false),
            dropped: AtomicU64::new(0),
            in_place: OnceLock::new(),
            state: Mutex::new(State::new()),
        })
    }

    pub(crate) fn stream_id(&self) -> &StreamId {
        &self.stream_id
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The only actor that may feed it.
    pub(crate) fn sender(&self) -> &ActrId {
        &self.sender
    }

    /// Whether it waits for this peer's first record.
    pub(crate) fn waits_for(&self, peer: &ActrId) -> bool {
        if self.sender != *peer {
            return false;
        }
        let state = self.lock();
        state.source.is_none() && state.waiting.ended().is_none()
    }

    /// Lets this connection feed it.
    pub(crate) fn bind(&self, uplink: &Arc<Uplink>) -> Result<(), Unbound> {
        if self.sender != *uplink.peer() {
            return Err(Unbound::OtherSender);
        }
        let mut state = self.lock();
        if state.waiting.ended().is_some() {
            return Err(Unbound::Unknown);
        }
        let source = state.source.get_or_insert_with(|| Arc::clone(uplink));
        if Arc::ptr_eq(source, uplink) {
            Ok(())
        } else {
            Err(Unbound::Unknown)
        }
    }

    /// Who feeds it.
    pub(crate) fn source(&self) -> Option<Arc<Uplink>> {
        self.lock().source.clone()
    }

    /// From now on what is pushed is handed to this at once.
    pub(crate) fn run_in_place(&self, in_place: Arc<InPlace>) {
        let _ = self.in_place.set(in_place);
    }

    /// Takes records of this stream, and hands them to the callback if that has no task of its own.
    pub(crate) fn deliver(&self, message: &Bytes, run: Range<usize>, last_len: usize, has_credit: bool) -> Pushed {
        let turn = self.in_place.get().and_then(InPlace::begin);
        let pushed = self.push(message, run, last_len, has_credit);
        self.run(turn);
        pushed
    }

    /// The sender has finished: the callback learns it in the task where it got the frames.
    pub(crate) fn deliver_end(&self, end: StreamEnd) {
        let turn = self.in_place.get().and_then(InPlace::begin);
        self.end(end);
        self.run(turn);
    }

    /// The callback stays in place if it has been short, and waits for the next frame.
    fn run(&self, turn: Option<Turn<StreamTasks>>) {
        let Some(turn) = turn else { return };
        let is_short = is_short_turn();
        turn.run(|| is_short() && self.lock().reader.is_some());
    }

    /// Takes records of this stream: the part `run` of `message`, the last of them `last_len` bytes.
    fn push(&self, message: &Bytes, run: Range<usize>, last_len: usize, has_credit: bool) -> Pushed {
        let mut state = self.lock();
        let (pushed, wakers) = match state.waiting.push(message, run, last_len, has_credit) {
            Ok(pushed) => (pushed, Wakers(state.reader.take(), None)),
            Err(error) => (Pushed::Ended, state.end(StreamEnd::Protocol(PeerText::of(&error)))),
        };
        drop(state);
        wakers.wake();
        pushed
    }

    /// For the connection that reads no more: ready when it may again.
    pub(crate) fn poll_room(&self, cx: &mut Context<'_>) -> Poll<()> {
        let mut state = self.lock();
        if state.waiting.has_room() {
            return Poll::Ready(());
        }
        let replaced = state.driver.replace(cx.waker().clone());
        drop(state);
        drop(replaced);
        Poll::Pending
    }

    /// The next run of records; `None` when the stream is over and all were taken. `taken` bytes of records were handed
    /// over since the last time: the sender may get credit for them.
    pub(crate) fn poll_run(&self, cx: &mut Context<'_>, taken: usize) -> Poll<Option<Bytes>> {
        let mut state = self.lock();
        let grant = state.hand_over(taken);
        let mut replaced = None;
        let next = match state.waiting.take() {
            Next::Run(run) => Poll::Ready(Some(run)),
            Next::Over => {
                state.release_growth();
                Poll::Ready(None)
            }
            Next::Nothing => {
                replaced = state.reader.replace(cx.waker().clone());
                Poll::Pending
            }
        };
        let driver = state.driver.take();
        drop(state);
        drop(replaced);
        if let Some(driver) = driver {
            driver.wake();
        }
        if let Some((source, bytes)) = grant {
            source.lane().send_control(&Control::Credit {
                stream_id: self.stream_id.clone(),
                bytes,
            });
        }
        next
    }

    /// Ends it, unless it has ended. What waits is still handed over, unless the receiver itself does not want it.
    pub(crate) fn end(&self, end: StreamEnd) {
        let mut state = self.lock();
        if matches!(
            end,
            StreamEnd::Cancelled
                | StreamEnd::Stopped
                | StreamEnd::Panicked(_)
                | StreamEnd::Protocol(_)
                | StreamEnd::Gap { .. }
        ) {
            self.abandoned.store(true, Ordering::Relaxed);
            state.waiting.discard();
        }
        let wakers = state.end(end);
        drop(state);
        wakers.wake();
    }

    /// Whether what was taken and not handed over yet is to be dropped.
    #[inline]
    pub(crate) fn is_abandoned(&self) -> bool {
        self.abandoned.load(Ordering::Relaxed)
    }

    /// How many frames of a latency-first stream are missing, as far as its numbers tell.
    pub(crate) fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    pub(crate) fn set_dropped(&self, frames: u64) {
        self.dropped.store(frames, Ordering::Relaxed);
    }

    /// How it ended.
    pub(crate) fn ended(&self) -> Option<StreamEnd> {
        self.lock().waiting.ended().cloned()
    }
}

impl State {
    fn new() -> Self {
        Self {
            waiting: inbox::Inbox::new(MAX_WAITING_WITHOUT_CREDIT),
            grown: None,
            started: Instant::now(),
            source: None,
            reader: None,
            driver: None,
        }
    }

    /// Ends it, unless it has ended.
    fn end(&mut self, end: StreamEnd) -> Wakers {
        if !self.waiting.end(end) {
            return Wakers::default();
        }
        self.release_growth();
        Wakers(self.reader.take(), self.driver.take())
    }

    /// No more comes: what waits is all that has to be held.
    fn release_growth(&mut self) {
        if self.waiting.is_drained() {
            self.grown = None;
        }
    }

    /// Counts what was handed over; what to grant for it.
    fn hand_over(&mut self, len: usize) -> Option<(Arc<Uplink>, u64)> {
        let may_grant = self.waiting.hand_over(len);
        let source = self
            .source
            .as_ref()
            .filter(|source| may_grant && source.lane().has_control())?;
        let grow = |wanted: u64| {
            let len = usize::try_from(wanted).unwrap_or(usize::MAX);
            let held = match &mut self.grown {
                Some(grown) => grown.resize(grown.amount().saturating_add(len)),
                None => source.growth().take(len).map(|grown| self.grown = Some(grown)),
            };
            held.map_or(0, |()| wanted)
        };
        let bytes = self.waiting.grant(len, grow, self.started.elapsed())?;
        Some((Arc::clone(source), bytes))
    }
}

/// The tasks to wake once the lock is free: a waker may run any code, when it is dropped too.
#[derive(Default)]
struct Wakers(Option<Waker>, Option<Waker>);

impl Wakers {
    fn wake(self) {
        for waker in [self.0, self.1].into_iter().flatten() {
            waker.wake();
        }
    }
}
