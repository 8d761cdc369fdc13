use std::{
    future::poll_fn,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::Poll,
};

use actr_lite_engine::{
    held_bytes::HeldBytes,
    latency_first::{self, Attempt, FLUSH_TIMEOUT, HeldUp},
    outbox::Urgency,
};
use actr_lite_wire::{frame, record::RecordKind, record_queue::Precedence};
use tokio::{runtime::Handle, sync::Notify, time::timeout};
use tokio_util::sync::CancellationToken;

use crate::{
    lane::lane::SendRefused,
    stream::{outgoing_streams::OutgoingStream, stream_meter::StreamMeter, uplink::Uplink},
};

const KIND: RecordKind = RecordKind::StreamLatencyFirst;

/// The way of a latency-first stream's frames to the lane.
///
/// [`latency_first::LatencyFirst`] decides which leave, wait and are dropped; this has the lock, and the task that sends
/// what is queued as credit and room come. It ends when all has left.
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
    frames: latency_first::LatencyFirst<HeldBytes>,
    /// A task sends what is queued.
    is_pumped: bool,
}

impl LatencyFirst {
    pub(crate) fn new(uplink: &Arc<Uplink>, stream: &Arc<OutgoingStream>, meter: &Arc<StreamMeter>) -> Self {
        let memory = HeldBytes::new(Arc::clone(uplink.account()), 0);
        Self {
            shared: Arc::new(Shared {
                uplink: Arc::clone(uplink),
                stream: Arc::clone(stream),
                meter: Arc::clone(meter),
                state: Mutex::new(State {
                    frames: latency_first::LatencyFirst::new(uplink.lane().has_control(), memory),
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
        let len = head.len() + payload.len();
        let send = || shared.send(head, payload, payload.len());
        let mut state = shared.lock();
        let attempt = state.frames.try_send(len, || shared.stream.take_granted(), send);
        shared.show(&state);
        attempt
    }

    /// Puts an encoded frame behind those that wait, if it still has to.
    pub(super) fn queue(&self, frame: Vec<u8>) {
        let shared = &self.shared;
        let mut state = shared.lock();
        let granted = || shared.stream.take_granted();
        let held_up = state.frames.queue(frame, granted, |frame| shared.send_queued(frame));
        shared.show(&state);
        if held_up != HeldUp::Not && !std::mem::replace(&mut state.is_pumped, true) {
            drop(state);
            let pump = Arc::clone(shared).pump();
            let tasks = &shared.uplink.environment().tasks;
            tasks.spawn_runtime_on(&self.runtime, "a latency-first stream's queue", Box::pin(pump));
        }
    }

    /// Waits until all that is queued has left, the stream is over, or it has taken too long.
    pub(super) async fn flush(&self) {
        let shared = &self.shared;
        let flushed = async {
            while !shared.lock().frames.is_empty() && shared.stream.end.get().is_none() {
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
        self.shared.lock().frames.clear();
        self.shared.over.cancel();
    }

    /// How many frames were dropped.
    pub(crate) fn dropped(&self) -> u64 {
        self.shared.lock().frames.dropped()
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn send(&self, head: &[u8], body: &[u8], payload_len: usize) -> Result<(), SendRefused> {
        self.uplink.lane().try_send(KIND, Urgency::Pause, head, body)?;
        self.meter.sent(payload_len);
        Ok(())
    }

    fn send_queued(&self, frame: &[u8]) -> Result<(), SendRefused> {
        let payload_len = frame::decode(frame).map_or(frame.len(), |parts| parts.payload.len());
        self.send(frame, &[], payload_len)
    }

    fn show(&self, state: &State) {
        self.meter.set_credit(state.frames.credit());
        self.meter.set_dropped(state.frames.dropped());
    }

    /// Sends what is queued, as far as that goes.
    fn advance(&self, state: &mut State) -> HeldUp {
        if self.stream.end.get().is_some() {
            state.frames.clear();
        }
        let granted = || self.stream.take_granted();
        let held_up = state.frames.advance(granted, |frame| self.send_queued(frame));
        self.show(state);
        held_up
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
