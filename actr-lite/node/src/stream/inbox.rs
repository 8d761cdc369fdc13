use std::{
    collections::VecDeque,
    ops::Range,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Waker},
};

use actr_lite_wire::{
    control::Control,
    credit::ReceiveWindow,
    identity::{ActrId, StreamId},
};
use bytes::{Bytes, BytesMut};

use super::{InPlace, StreamEnd};
use crate::session::Session;

/// How much of a stream waits when its sender knows no credit: then the connection is not read until the application
/// has taken some, and TCP slows the sender down. As much as a window grows to.
const MAX_WAITING_WITHOUT_CREDIT: usize = 1 << 20;

/// Shorter runs are copied together while nobody takes them: each would hold the whole message that it came in.
const COPY_BELOW: usize = 16 << 10;

/// A run that is less than this part of its message is copied too: a slice would hold all the rest.
const MAX_HELD_RATIO: usize = 4;

/// How much is copied together before it counts as a run: a reader gives credit back run by run.
const MAX_TAIL: usize = 64 << 10;

/// The frames of one subscription that came and were not taken yet.
pub(crate) struct Inbox {
    stream_id: StreamId,
    /// Nobody wants what is left of it.
    abandoned: AtomicBool,
    /// The callback, if there is one: whoever pushes polls it.
    in_place: OnceLock<Arc<InPlace>>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Records of this stream, headers included.
    runs: VecDeque<Bytes>,
    /// Short runs, copied together; they come after `runs`.
    tail: BytesMut,
    waiting: usize,
    window: ReceiveWindow,
    /// The connection that feeds it, from its first record on.
    source: Option<Arc<Session>>,
    /// Who may feed it; anybody, as long as that is not said.
    expected: Option<ActrId>,
    end: Option<StreamEnd>,
    reader: Option<Waker>,
    driver: Option<Waker>,
}

/// What became of records that were to be put into an inbox.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Pushed {
    /// They wait for the application.
    Taken,
    /// They wait, and no more should be read until some were taken.
    Full,
    /// The subscription is over.
    Ended,
}

impl Inbox {
    pub(crate) fn new(stream_id: StreamId) -> Arc<Self> {
        Arc::new(Self {
            stream_id,
            abandoned: AtomicBool::new(false),
            in_place: OnceLock::new(),
            state: Mutex::default(),
        })
    }

    pub(crate) fn stream_id(&self) -> &StreamId {
        &self.stream_id
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From now on only this actor may feed it.
    pub(crate) fn expect_from(&self, peer: ActrId) {
        self.lock().expected = Some(peer);
    }

    /// Whether it waits for this peer and no connection feeds it yet.
    pub(crate) fn waits_for(&self, peer: &ActrId) -> bool {
        let state = self.lock();
        state.source.is_none() && state.expected.as_ref() == Some(peer)
    }

    /// Lets this connection feed it; false where another one does, another peer is expected, or it is over.
    pub(crate) fn bind(&self, session: &Arc<Session>) -> bool {
        let mut state = self.lock();
        if state.end.is_some() || state.expected.as_ref().is_some_and(|peer| peer != session.peer()) {
            return false;
        }
        let source = state.source.get_or_insert_with(|| Arc::clone(session));
        Arc::ptr_eq(source, session)
    }

    /// Who feeds it.
    pub(crate) fn source(&self) -> Option<Arc<Session>> {
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
        if let Some(turn) = turn {
            turn.run(|| self.lock().reader.is_some());
        }
        pushed
    }

    /// Takes records of this stream: the part `run` of `message`, the last of them `last_len` bytes.
    fn push(&self, message: &Bytes, run: Range<usize>, last_len: usize, has_credit: bool) -> Pushed {
        let mut state = self.lock();
        if state.end.is_some() {
            return Pushed::Ended;
        }
        let len = run.len();
        if has_credit && let Err(error) = state.window.receive(len as u64, last_len as u64) {
            state.end(StreamEnd::Protocol(error.to_string()));
            return Pushed::Ended;
        }
        state.waiting += len;
        let is_waiting = !state.runs.is_empty() || !state.tail.is_empty();
        let would_hold_more = len < message.len() / MAX_HELD_RATIO;
        if len < COPY_BELOW && (is_waiting || would_hold_more) {
            state.tail.extend_from_slice(&message[run]);
            if state.tail.len() >= MAX_TAIL {
                state.settle_tail();
            }
        } else {
            state.settle_tail();
            let run = if would_hold_more {
                Bytes::copy_from_slice(&message[run])
            } else {
                message.slice(run)
            };
            state.runs.push_back(run);
        }
        let full = !has_credit && state.waiting >= MAX_WAITING_WITHOUT_CREDIT;
        let reader = state.reader.take();
        drop(state);
        if let Some(reader) = reader {
            reader.wake();
        }
        if full { Pushed::Full } else { Pushed::Taken }
    }

    /// For the connection that reads no more: ready when it may again.
    pub(crate) fn poll_room(&self, cx: &mut Context<'_>) -> Poll<()> {
        let mut state = self.lock();
        if state.end.is_some() || state.waiting < MAX_WAITING_WITHOUT_CREDIT {
            return Poll::Ready(());
        }
        state.driver = Some(cx.waker().clone());
        Poll::Pending
    }

    /// The next run of records; none when the stream is over and all were taken. `taken` bytes of records were handed
    /// over since the last time: the sender may get credit for them.
    pub(crate) fn poll_run(&self, cx: &mut Context<'_>, taken: usize) -> Poll<Option<Bytes>> {
        let mut state = self.lock();
        let grant = state.take(taken);
        state.settle_tail();
        let next = match state.runs.pop_front() {
            Some(run) => Poll::Ready(Some(run)),
            None if state.end.is_some() => Poll::Ready(None),
            None => {
                state.reader = Some(cx.waker().clone());
                Poll::Pending
            }
        };
        let driver = state.driver.take();
        drop(state);
        if let Some(driver) = driver {
            driver.wake();
        }
        if let Some((session, bytes)) = grant {
            session.lane().send_control(&Control::Credit {
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
            StreamEnd::Cancelled | StreamEnd::Stopped | StreamEnd::Panicked(_) | StreamEnd::Protocol(_)
        ) {
            self.abandoned.store(true, Ordering::Relaxed);
            state.runs.clear();
            state.tail.clear();
        }
        if state.end.is_none() {
            state.end(end);
        }
    }

    /// Whether what was taken and not handed over yet is to be dropped.
    #[inline]
    pub(crate) fn is_abandoned(&self) -> bool {
        self.abandoned.load(Ordering::Relaxed)
    }

    /// How it ended.
    pub(crate) fn ended(&self) -> Option<StreamEnd> {
        self.lock().end.clone()
    }
}

impl State {
    fn end(&mut self, end: StreamEnd) {
        self.end = Some(end);
        wake(&mut self.reader);
        wake(&mut self.driver);
        if let Some(source) = &self.source {
            source.return_growth(self.window.grown());
        }
    }

    /// Counts what was handed over; what to grant for it.
    fn take(&mut self, taken: usize) -> Option<(Arc<Session>, u64)> {
        self.waiting = self.waiting.saturating_sub(taken);
        // Credit for a stream that is over would go to a sender that has forgotten it.
        if taken == 0 || self.end.is_some() {
            return None;
        }
        let source = self.source.as_ref().filter(|source| source.lane().has_control())?;
        let window = &mut self.window;
        let grant = source.with_growth(|growth| {
            let grant = window.take(taken as u64, growth);
            (grant, grant.map_or(0, |grant| grant.grown))
        })?;
        Some((Arc::clone(source), grant.bytes))
    }

    fn settle_tail(&mut self) {
        if !self.tail.is_empty() {
            let tail = self.tail.split().freeze();
            self.runs.push_back(tail);
        }
    }
}

fn wake(waker: &mut Option<Waker>) {
    if let Some(waker) = waker.take() {
        waker.wake();
    }
}
