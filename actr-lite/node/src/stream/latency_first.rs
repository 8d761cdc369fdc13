use std::{
    future::poll_fn,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::Poll,
    time::Duration,
};

use actr_lite_engine::outbox::Urgency;
use actr_lite_engine::{held_bytes::HeldBytes, memory::Memory as _};
use actr_lite_wire::{
    credit::SendCredit,
    frame,
    latency_queue::LatencyQueue,
    record::{HEADER_LEN, RecordKind},
    send_queue::Precedence,
};
use tokio::{runtime::Handle, sync::Notify, time::timeout};
use tokio_util::sync::CancellationToken;

use crate::{
    lane::lane::SendRefused,
    stream::{outgoing_streams::OutgoingStream, stream_meter::StreamMeter, uplink::Uplink},
};

/// How long the end of a stream waits for what is queued: a frame that is later than that is of no use to anybody.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(1);

const KIND: RecordKind = RecordKind::StreamLatencyFirst;

/// The way of a latency-first stream's frames to the lane.
///
/// A frame goes straight to the lane as long as nothing is queued. A frame that the lane or the receiver's credit does
/// not let through is queued, and a task sends what is queued as credit and room come; it ends when all has left.
pub(super) struct LatencyFirst {
    shared: Arc<Shared>,
    runtime: Handle,
}

struct Shared {
    uplink: Arc<Uplink>,
    stream: Arc<OutgoingStream>,
    meter: Arc<StreamMeter>,
    state: Mutex<State>,
    /// All that was queued has left or was dropped.
    emptied: Notify,
    /// The sender has ended the stream: nothing of it may follow.
    over: CancellationToken,
}

struct State {
    queue: LatencyQueue,
    /// For what is queued.
    held: HeldBytes,
    credit: SendCredit,
    /// A task sends what is queued.
    is_pumped: bool,
}

/// What became of a frame that was to leave at once.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Attempt {
    /// It is on its way.
    Sent,
    /// There is no credit or no room, or older frames wait.
    Congested,
    /// The lane is closed.
    Closed,
}

/// What holds up what is queued.
#[derive(Debug, PartialEq, Eq)]
enum HeldUp {
    /// Nothing is queued any more.
    Not,
    /// The receiver has given no credit.
    Credit,
    /// The connection is full.
    Room,
}

impl LatencyFirst {
    pub(crate) fn new(uplink: &Arc<Uplink>, stream: &Arc<OutgoingStream>, meter: &Arc<StreamMeter>) -> Self {
        Self {
            shared: Arc::new(Shared {
                uplink: Arc::clone(uplink),
                stream: Arc::clone(stream),
                meter: Arc::clone(meter),
                state: Mutex::new(State {
                    queue: LatencyQueue::default(),
                    held: HeldBytes::new(Arc::clone(uplink.account()), 0),
                    credit: SendCredit::default(),
                    is_pumped: false,
                }),
                emptied: Notify::new(),
                over: CancellationToken::new(),
            }),
            runtime: Handle::current(),
        }
    }

    /// Sends a frame if that can be at once.
    pub(super) fn try_send(&self, head: &[u8], payload: &[u8]) -> Attempt {
        let shared = &self.shared;
        let mut state = shared.lock();
        if !state.queue.is_empty() || !shared.has_credit(&mut state) {
            return Attempt::Congested;
        }
        match shared.uplink.lane().try_send(KIND, Urgency::Pause, head, payload) {
            Ok(_) => {
                shared.spend(&mut state, head.len() + payload.len());
                shared.count(&state, payload.len());
                Attempt::Sent
            }
            Err(SendRefused::Full | SendRefused::OverShare(_)) => Attempt::Congested,
            Err(SendRefused::Closed) => Attempt::Closed,
        }
    }

    /// Puts an encoded frame behind those that wait, if it still has to.
    pub(super) fn queue(&self, frame: Vec<u8>) {
        let mut state = self.shared.lock();
        // Here too, and not in the task alone: while that waits for its turn, frames would be dropped without need.
        let before = self.shared.advance(&mut state);
        state.queue.push(frame);
        let is_stuck = before != HeldUp::Not || self.shared.advance(&mut state) != HeldUp::Not;
        state.hold();
        if is_stuck && !std::mem::replace(&mut state.is_pumped, true) {
            drop(state);
            let pump = Arc::clone(&self.shared).pump();
            let tasks = &self.shared.uplink.environment().tasks;
            tasks.spawn_runtime_on(&self.runtime, "a latency-first stream's queue", Box::pin(pump));
        }
    }

    /// Waits until all that is queued has left, the stream is over, or it has taken too long.
    pub(super) async fn flush(&self) {
        let shared = &self.shared;
        let flushed = async {
            while !shared.lock().queue.is_empty() && shared.stream.end.get().is_none() {
                tokio::select! {
                    () = shared.emptied.notified() => {}
                    () = shared.stream.closed.cancelled() => {}
                }
            }
        };
        // What is still there then is dropped, and counted.
        let _ = timeout(FLUSH_TIMEOUT, flushed).await;
    }

    /// Drops what is queued; nothing of the stream is sent after this.
    pub(super) fn end(&self) {
        let mut state = self.shared.lock();
        state.queue.clear();
        state.held.shrink(0);
        drop(state);
        self.shared.over.cancel();
    }

    /// How many frames were dropped.
    pub(crate) fn dropped(&self) -> u64 {
        self.shared.lock().queue.dropped()
    }
}

impl State {
    /// Counts what is queued; the oldest frames go if that is more than the receiver may make this node hold.
    fn hold(&mut self) {
        while !self.queue.is_empty() && self.held.cover(self.queue.bytes()).is_err() {
            self.queue.drop_oldest();
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a record may go to the receiver, after counting what that has granted.
    fn has_credit(&self, state: &mut State) -> bool {
        if state.credit.may_send() || !self.uplink.lane().has_control() {
            return true;
        }
        // What is too much was refused when it came.
        let _ = state.credit.grant(self.stream.take_granted());
        state.credit.may_send()
    }

    fn spend(&self, state: &mut State, len: usize) {
        if self.uplink.lane().has_control() {
            state.credit.spend((HEADER_LEN + len) as u64);
        }
    }

    fn count(&self, state: &State, payload_len: usize) {
        let has_credit = self.uplink.lane().has_control();
        self.meter
            .sent(payload_len, has_credit.then(|| state.credit.available()));
        self.meter.set_dropped(state.queue.dropped());
    }

    /// Sends what is queued, as far as that goes.
    fn advance(&self, state: &mut State) -> HeldUp {
        if state.queue.is_empty() {
            return HeldUp::Not;
        }
        if self.stream.end.get().is_some() {
            state.queue.clear();
        }
        while !state.queue.is_empty() {
            if !self.has_credit(state) {
                return HeldUp::Credit;
            }
            let Some(frame) = state.queue.front() else { break };
            let len = frame.len();
            match self.uplink.lane().try_send(KIND, Urgency::Pause, frame, &[]) {
                Ok(_) => {
                    let payload_len = frame::decode(frame).map_or(len, |parts| parts.payload.len());
                    self.spend(state, len);
                    self.count(state, payload_len);
                    state.queue.pop();
                }
                Err(SendRefused::Full) => return HeldUp::Room,
                // Nothing waits on the connection: there would be no room later either.
                Err(SendRefused::OverShare(_)) => state.queue.drop_oldest(),
                Err(SendRefused::Closed) => state.queue.clear(),
            }
        }
        HeldUp::Not
    }

    /// Sends what is queued as credit and room come, until all has left or the stream is over.
    async fn pump(self: Arc<Self>) {
        let mut turn = None;
        loop {
            let room_wanted = poll_fn(|cx| {
                self.stream.waker.register(cx.waker());
                let mut state = self.lock();
                match self.advance(&mut state) {
                    HeldUp::Not => {
                        state.is_pumped = false;
                        state.held.shrink(0);
                        drop(state);
                        self.emptied.notify_one();
                        Poll::Ready(false)
                    }
                    HeldUp::Room => Poll::Ready(true),
                    HeldUp::Credit => {
                        drop(state);
                        // Room that this stream has no use for now is for others.
                        turn = None;
                        Poll::Pending
                    }
                }
            });
            let is_over = tokio::select! {
                biased;
                () = self.over.cancelled() => true,
                room_wanted = room_wanted => !room_wanted,
            };
            if is_over {
                return;
            }
            let turn = turn.get_or_insert_with(|| self.uplink.lane().room(Precedence::Bulk).turn());
            tokio::select! {
                () = turn.wait() => {}
                () = self.stream.closed.cancelled() => {}
                () = self.over.cancelled() => {}
            }
        }
    }
}
