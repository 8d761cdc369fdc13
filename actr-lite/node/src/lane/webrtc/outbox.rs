use std::sync::{Mutex, MutexGuard, PoisonError};

use actr_lite_engine::{
    held_bytes::HeldBytes,
    outbox::{Accepted, Urgency},
    upgrade::offer::Agreed,
};
use actr_lite_webrtc::outgoing::{Batch, Outgoing};
use actr_lite_wire::{control::Control, record::RecordKind, record_limit::RecordLimit, record_queue::Precedence};
use tokio::sync::Notify;

use crate::{
    lane::{
        closing::Closing,
        lane::{Lane, SendRefused},
    },
    sync::room::Room,
};

/// What is to be sent over the data channels to one peer. Senders append, and the session's task sends.
pub(crate) struct Outbox {
    extended: bool,
    max_record_len: usize,
    state: Mutex<State>,
    /// The task has something to send, or to close.
    queued: Notify,
    room_ahead: Room,
    room: Room,
}

struct State {
    outgoing: Outgoing<HeldBytes>,
    closing: Option<Closing>,
}

impl Outbox {
    /// Nothing waits. What does is counted by `memory`.
    pub(crate) fn new(agreed: Agreed, own_limit: RecordLimit, memory: HeldBytes) -> Self {
        let Agreed { extended, peer_limit } = agreed;
        Self {
            extended,
            max_record_len: own_limit.min(peer_limit).bytes(),
            state: Mutex::new(State {
                outgoing: Outgoing::new(extended, memory),
                closing: None,
            }),
            queued: Notify::new(),
            room_ahead: Room::default(),
            room: Room::default(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // No code panics while it holds the lock.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Completes when there may be something to send, or the lane is to be closed.
    ///
    /// # Cancel safety
    /// What it was told is not lost.
    pub(crate) async fn queued(&self) {
        self.queued.notified().await;
    }

    /// What is to be sent next of this precedence, behind a batch all of which has left.
    pub(crate) fn next(&self, precedence: Precedence, left: Option<Batch>) -> Option<Batch> {
        let batch = self.lock().outgoing.next(precedence, left)?;
        self.room(precedence).tell_one();
        Some(batch)
    }

    /// Some of its messages have left, or none.
    pub(crate) fn leaves(&self, batch: &mut Batch) {
        if batch.has_news() {
            self.lock().outgoing.leaves(batch);
        }
    }

    /// Why this side wants to close, once all has left.
    pub(crate) fn closing(&self) -> Option<Closing> {
        self.lock().closing
    }

    /// The session has ended: nothing is taken any more, and everybody who waits for room learns it.
    pub(crate) fn end(&self) {
        self.lock().outgoing.end();
        self.room_ahead.tell_all();
        self.room.tell_all();
    }
}

impl Lane for Outbox {
    fn has_control(&self) -> bool {
        self.extended
    }

    fn max_record_len(&self) -> usize {
        self.max_record_len
    }

    fn try_send(&self, kind: RecordKind, _: Urgency, head: &[u8], body: &[u8]) -> Result<Accepted, SendRefused> {
        let precedence = Precedence::of(kind, head.len() + body.len());
        let mut state = self.lock();
        let is_first = !state.outgoing.has_any(precedence);
        state.outgoing.push(kind, head, body)?;
        drop(state);
        if is_first {
            self.queued.notify_one();
        }
        Ok(Accepted::Queued)
    }

    fn sent(&self) -> u64 {
        self.lock().outgoing.sent()
    }

    fn unsent(&self) -> usize {
        self.lock().outgoing.waiting()
    }

    fn flush(&self) {
        self.queued.notify_one();
    }

    fn send_control(&self, control: &Control) {
        let pushed = self.lock().outgoing.push_control(control);
        match pushed {
            Ok(()) => self.queued.notify_one(),
            Err(_) => self.close(Closing::Overwhelmed),
        }
    }

    fn room(&self, precedence: Precedence) -> &Room {
        match precedence {
            Precedence::Ahead => &self.room_ahead,
            Precedence::Bulk => &self.room,
        }
    }

    fn close(&self, cause: Closing) {
        let mut state = self.lock();
        state.outgoing.close();
        state.closing.get_or_insert(cause);
        drop(state);
        self.queued.notify_one();
    }
}
