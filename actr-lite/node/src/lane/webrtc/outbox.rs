use std::{
    mem,
    sync::{Mutex, MutexGuard, PoisonError},
};

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
    /// The task knows that something waits.
    is_told: bool,
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
                is_told: false,
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
        let mut state = self.lock();
        state.is_told = false;
        let batch = state.outgoing.next(precedence, left)?;
        drop(state);
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

    fn try_send(&self, kind: RecordKind, urgency: Urgency, head: &[u8], body: &[u8]) -> Result<Accepted, SendRefused> {
        let mut state = self.lock();
        let pushed = state.outgoing.push(kind, head, body);
        // Whoever waits for room waits for those too that could have waited.
        let is_urgent = urgency != Urgency::Later || pushed.is_err();
        let is_to_be_told = is_urgent && !mem::replace(&mut state.is_told, true);
        drop(state);
        if is_to_be_told {
            self.queued.notify_one();
        }
        pushed?;
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

#[cfg(test)]
pub(crate) mod tests {
    use std::sync::Arc;

    use actr_lite_engine::accounts::{AccountLimits, Accounts, PeerAccount};
    use actr_lite_wire::identity::ActrId;
    use futures_util::FutureExt as _;

    use super::*;

    /// Of a peer that may make its node hold so much.
    pub(crate) fn account(bytes: usize) -> Arc<PeerAccount> {
        let limits = AccountLimits {
            connections: 1,
            connections_per_peer: 1,
            streams: 1,
            streams_per_peer: 1,
            calls: 1,
            calls_per_peer: 1,
            bytes: 64 << 20,
            bytes_per_peer: bytes,
            other_realms: 1,
        };
        let peer = ActrId::new(1, 1, "acme+Peer".parse().unwrap());
        Accounts::new(limits, 1, false).of(&peer).unwrap()
    }

    fn outbox() -> Outbox {
        let limit = RecordLimit::new(1 << 20).unwrap();
        let agreed = Agreed {
            extended: true,
            peer_limit: limit,
        };
        Outbox::new(agreed, limit, HeldBytes::new(account(1 << 20), 0))
    }

    fn is_told(outbox: &Outbox) -> bool {
        outbox.queued().now_or_never().is_some()
    }

    #[test]
    fn an_answer_that_can_wait_leaves_with_the_next_record() {
        let (outbox, answer, frame) = (outbox(), RecordKind::RpcReliable, RecordKind::StreamReliable);
        for urgency in [Urgency::Pause, Urgency::Now] {
            outbox.try_send(answer, Urgency::Later, b"", b"answer").unwrap();
            assert!(!is_told(&outbox));
            outbox.try_send(frame, urgency, b"", b"frame").unwrap();
            assert!(is_told(&outbox));
            outbox.try_send(frame, urgency, b"", b"frame").unwrap();
            assert!(!is_told(&outbox), "it knows");
            assert!(outbox.next(Precedence::Ahead, None).is_some());
            assert!(outbox.next(Precedence::Bulk, None).is_some());
        }
        outbox.try_send(answer, Urgency::Later, b"", b"answer").unwrap();
        outbox.flush();
        assert!(is_told(&outbox), "it was asked for");
    }

    #[test]
    fn who_finds_no_room_has_what_could_wait_sent() {
        let outbox = outbox();
        let answer = vec![7; 1000];
        while outbox
            .try_send(RecordKind::RpcReliable, Urgency::Later, b"", &answer)
            .is_ok()
        {
            assert!(!is_told(&outbox));
        }
        assert!(is_told(&outbox));
    }
}
