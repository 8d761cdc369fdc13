use std::{
    collections::VecDeque,
    ops::Range,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    task::{Context, Poll, Waker},
};

use actr_lite_quota::Permit;
use actr_lite_wire::{
    control::Control,
    credit::ReceiveWindow,
    identity::{ActrId, StreamId},
    peer_text::PeerText,
    record::RecordKind,
};
use bytes::{Bytes, BytesMut};
use tokio::time::Instant;

use crate::stream::{in_place::InPlace, stream_end::StreamEnd, uplink::Uplink};

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
    /// Records of this stream, headers included.
    runs: VecDeque<Bytes>,
    /// Short runs, copied together; they come after `runs`.
    tail: BytesMut,
    waiting: usize,
    /// A record came that must not be dropped. Used only if the sender knows no credit.
    has_reliable: bool,
    window: ReceiveWindow,
    /// For what the window has grown, as long as so much may come or wait.
    grown: Option<Permit>,
    /// From when on the window counts time.
    started: Instant,
    /// The connection that feeds it, from its first record on.
    source: Option<Arc<Uplink>>,
    end: Option<StreamEnd>,
    reader: Option<Waker>,
    driver: Option<Waker>,
}

/// What happened to records that were offered to an inbox.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Pushed {
    /// They wait for the application.
    Taken,
    /// They wait, and no more should be read until some were taken.
    Full,
    /// The subscription is over.
    Ended,
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
        state.source.is_none() && state.end.is_none()
    }

    /// Lets this connection feed it.
    pub(crate) fn bind(&self, uplink: &Arc<Uplink>) -> Result<(), Unbound> {
        if self.sender != *uplink.peer() {
            return Err(Unbound::OtherSender);
        }
        let mut state = self.lock();
        if state.end.is_some() {
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
        if let Some(turn) = turn {
            turn.run(|| self.lock().reader.is_some());
        }
        pushed
    }

    /// The sender has finished: the callback learns it in the task where it got the frames.
    pub(crate) fn deliver_end(&self, end: StreamEnd) {
        let turn = self.in_place.get().and_then(InPlace::begin);
        self.end(end);
        if let Some(turn) = turn {
            turn.run(|| self.lock().reader.is_some());
        }
    }

    /// Takes records of this stream: the part `run` of `message`, the last of them `last_len` bytes.
    fn push(&self, message: &Bytes, run: Range<usize>, last_len: usize, has_credit: bool) -> Pushed {
        let mut state = self.lock();
        if state.end.is_some() {
            return Pushed::Ended;
        }
        let len = run.len();
        if has_credit && let Err(error) = state.window.receive(len as u64, last_len as u64) {
            let wakers = state.end(StreamEnd::Protocol(PeerText::of(&error)));
            drop(state);
            wakers.wake();
            return Pushed::Ended;
        }
        if !has_credit {
            let kind = message.get(run.start).copied();
            state.has_reliable |= kind != Some(RecordKind::StreamLatencyFirst as u8);
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
        let mut full = !has_credit && state.waiting >= MAX_WAITING_WITHOUT_CREDIT;
        if full && !state.has_reliable {
            state.drop_oldest();
            full = false;
        }
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

    /// The next run of records; `None` when the stream is over and all were taken. `taken` bytes of records were handed
    /// over since the last time: the sender may get credit for them.
    pub(crate) fn poll_run(&self, cx: &mut Context<'_>, taken: usize) -> Poll<Option<Bytes>> {
        let mut state = self.lock();
        let grant = state.take(taken);
        state.settle_tail();
        let next = match state.runs.pop_front() {
            Some(run) => Poll::Ready(Some(run)),
            None if state.end.is_some() => {
                state.release_growth();
                Poll::Ready(None)
            }
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
            state.runs.clear();
            state.tail.clear();
        }
        let wakers = if state.end.is_none() {
            state.end(end)
        } else {
            Wakers::default()
        };
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
        self.lock().end.clone()
    }
}

impl State {
    fn new() -> Self {
        Self {
            runs: VecDeque::new(),
            tail: BytesMut::new(),
            waiting: 0,
            has_reliable: false,
            window: ReceiveWindow::default(),
            grown: None,
            started: Instant::now(),
            source: None,
            end: None,
            reader: None,
            driver: None,
        }
    }

    fn end(&mut self, end: StreamEnd) -> Wakers {
        self.end = Some(end);
        self.release_growth();
        Wakers(self.reader.take(), self.driver.take())
    }

    /// No more comes: what waits is all that has to be held.
    fn release_growth(&mut self) {
        if self.runs.is_empty() && self.tail.is_empty() {
            self.grown = None;
        }
    }

    /// Counts what was handed over; what to grant for it.
    fn take(&mut self, taken: usize) -> Option<(Arc<Uplink>, u64)> {
        self.waiting = self.waiting.saturating_sub(taken);
        // Credit for a stream that is over would go to a sender that has forgotten it.
        if taken == 0 || self.end.is_some() {
            return None;
        }
        let source = self.source.as_ref().filter(|source| source.lane().has_control())?;
        let grow = |wanted: u64| {
            let len = usize::try_from(wanted).unwrap_or(usize::MAX);
            let held = match &mut self.grown {
                Some(grown) => grown.resize(grown.amount().saturating_add(len)),
                None => source.growth().take(len).map(|grown| self.grown = Some(grown)),
            };
            held.map_or(0, |()| wanted)
        };
        let bytes = self.window.take(taken as u64, grow, self.started.elapsed())?;
        Some((Arc::clone(source), bytes))
    }

    /// Makes room by dropping what waits longest, but not what came last. The gap in the numbers tells the reader.
    fn drop_oldest(&mut self) {
        while self.waiting >= MAX_WAITING_WITHOUT_CREDIT && self.runs.len() + usize::from(!self.tail.is_empty()) > 1 {
            let Some(oldest) = self.runs.pop_front() else { break };
            self.waiting = self.waiting.saturating_sub(oldest.len());
        }
    }

    fn settle_tail(&mut self) {
        if !self.tail.is_empty() {
            let tail = self.tail.split().freeze();
            self.runs.push_back(tail);
        }
    }
}

/// The task to wake once the lock is free: a waker may run any code.
#[derive(Default)]
struct Wakers(Option<Waker>, Option<Waker>);

impl Wakers {
    fn wake(self) {
        for waker in [self.0, self.1].into_iter().flatten() {
            waker.wake();
        }
    }
}

#[cfg(test)]
mod tests {
    use actr_lite_wire::{
        frame::{self, FrameEncoder},
        record,
    };

    use super::*;

    fn sender() -> ActrId {
        ActrId::new(1, 1, "acme+Any".parse().unwrap())
    }

    /// Puts frames of these numbers into the inbox, one record a message; what became of the last.
    fn push(inbox: &Inbox, kind: RecordKind, numbers: std::ops::RangeInclusive<u64>) -> Pushed {
        let (mut encoder, payload) = (FrameEncoder::new(inbox.stream_id()), [0; 1000]);
        let mut last = Pushed::Ended;
        for number in numbers {
            let head = encoder.head(number, payload.len());
            let header = record::header(kind, head.len() + payload.len());
            let message = Bytes::from([&header, head, &payload].concat());
            last = inbox.deliver(&message, 0..message.len(), message.len(), false);
        }
        last
    }

    /// Takes what waits; the frames' numbers.
    fn take(inbox: &Inbox) -> Vec<u64> {
        let (mut numbers, mut taken) = (Vec::new(), 0);
        let mut cx = Context::from_waker(Waker::noop());
        while let Poll::Ready(Some(run)) = inbox.poll_run(&mut cx, taken) {
            taken = run.len();
            let mut at = 0;
            while at < run.len() {
                let (body, end) = record::body_at(&run, at).unwrap();
                numbers.push(frame::decode(body).unwrap().sequence);
                at = end;
            }
        }
        numbers
    }

    #[test]
    fn latency_first_frames_that_nobody_takes_push_out_older_ones() {
        let inbox = Inbox::new("flood".parse().unwrap(), sender());
        for round in 0..3 {
            let first = round * 5000 + 1;
            let last = first + 4999;
            assert_eq!(
                push(&inbox, RecordKind::StreamLatencyFirst, first..=last),
                Pushed::Taken
            );
            let numbers = take(&inbox);
            assert_eq!(numbers, (last + 1 - numbers.len() as u64..=last).collect::<Vec<_>>());
            let bytes = numbers.len() * 1000;
            assert!(
                (MAX_WAITING_WITHOUT_CREDIT / 2..=MAX_WAITING_WITHOUT_CREDIT).contains(&bytes),
                "{bytes}"
            );
        }
    }

    #[test]
    fn an_oversized_frame_is_kept_until_a_newer_one_arrives() {
        let inbox = Inbox::new("long".parse().unwrap(), sender());
        let latency_first = RecordKind::StreamLatencyFirst as u8;
        for byte in 1..=3 {
            let message = Bytes::from([vec![latency_first], vec![byte; 2 * MAX_WAITING_WITHOUT_CREDIT]].concat());
            let len = message.len();
            assert_eq!(inbox.deliver(&message, 0..len, len, false), Pushed::Taken);
        }
        let mut cx = Context::from_waker(Waker::noop());
        let Poll::Ready(Some(run)) = inbox.poll_run(&mut cx, 0) else {
            panic!("nothing waits");
        };
        assert_eq!(run.last(), Some(&3));
        assert!(inbox.poll_run(&mut cx, run.len()).is_pending());
    }

    #[test]
    fn a_reliable_frame_among_them_stops_the_reading_instead() {
        let inbox = Inbox::new("mixed".parse().unwrap(), sender());
        assert_eq!(push(&inbox, RecordKind::StreamLatencyFirst, 1..=10), Pushed::Taken);
        assert_eq!(push(&inbox, RecordKind::StreamReliable, 11..=11), Pushed::Taken);
        assert_eq!(push(&inbox, RecordKind::StreamLatencyFirst, 12..=2000), Pushed::Full);
        let mut cx = Context::from_waker(Waker::noop());
        assert!(inbox.poll_room(&mut cx).is_pending());
        assert_eq!(take(&inbox), (1..=2000).collect::<Vec<_>>());
        assert!(inbox.poll_room(&mut cx).is_ready());
    }
}
