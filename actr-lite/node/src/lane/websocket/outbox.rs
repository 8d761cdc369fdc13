use std::{
    io, mem,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker, ready},
};

use actr_lite_quota::Limit;
use actr_lite_wire::{
    control::Control,
    record::RecordKind,
    send_queue::{Piece, Precedence, SendQueue},
    websocket::{CloseCode, CloseFrame, Role},
};
use tokio::{sync::Notify, time::Instant};

use crate::{
    lane::{
        closing::Closing,
        lane::{Accepted, Lane, SendRefused, Urgency},
        websocket::socket::Writer,
    },
    limits::{accounts::PeerAccount, held_bytes::HeldBytes},
};

/// How much the driver writes before it looks at what comes: a few of the longest pieces, so that a long record does not
/// cost a turn for each.
const MAX_WRITTEN_AT_ONCE: usize = 256 << 10;

/// How much may wait to be sent that counts as a part of the connection.
const FREE_BYTES: usize = 16 << 10;

/// What a control record takes at most, as a rule: a stream's id and a sentence.
const MAX_CONTROL_LEN: usize = 1 << 10;

/// What is to be sent on a connection, and the socket for whoever has a batch together.
pub(crate) struct Outbox {
    /// Whether the peer takes batches and control records; otherwise one record makes one message.
    extended: bool,
    max_record_len: usize,
    started: Instant,
    state: Mutex<State>,
    room_ahead: Notify,
    room: Notify,
}

struct State {
    queue: SendQueue,
    /// For what waits in the queue, and what is sealed.
    held: HeldBytes,
    /// Gone when the connection has ended: whoever still knows the outbox must not keep the socket open.
    socket: Option<Arc<Writer>>,
    /// What the socket was told that may lie between this side and the network.
    bound: usize,
    /// Whole frames, or the rest of some: they go out before the queue.
    sealed: Vec<u8>,
    /// How much of `sealed` is sent.
    sent: usize,
    /// Somebody writes to the socket, without the lock.
    writing: bool,
    /// The connection's task, while it has nothing to write.
    driver: Option<Waker>,
}

impl State {
    fn wake_driver(&mut self) {
        if let Some(driver) = self.driver.take() {
            driver.wake();
        }
    }

    /// Whether this many bytes of a record may wait too; an empty queue takes what is free.
    #[inline]
    fn hold(&mut self, len: usize) -> Result<(), Limit> {
        self.held.cover(self.sealed.len() + self.queue.len() + len)
    }

    fn has_sealed(&self) -> bool {
        self.sent < self.sealed.len()
    }

    /// Keeps what was not written of a piece.
    fn keep_rest(&mut self, sealed: Vec<u8>, sent: usize) {
        if sent < sealed.len() {
            (self.sealed, self.sent) = (sealed, sent);
        } else {
            // Buffers are kept no longer than there is something to be sent: a thousand connections that pause cost nothing.
            (self.sealed, self.sent) = (Vec::new(), 0);
        }
    }
}

/// What the driver has to do for the way out.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Outgoing {
    /// Nothing now; the driver is woken when there is.
    Idle,
    /// Senders have added more while the driver wrote; it has to come back for that.
    More,
    /// All was sent, the close frame last.
    Closed,
}

impl Outbox {
    pub(crate) fn new(
        socket: Arc<Writer>,
        role: Role,
        extended: bool,
        max_record_len: usize,
        account: Arc<PeerAccount>,
    ) -> Self {
        let mut queue = SendQueue::new(role, extended);
        let bound = queue.pace().ahead();
        socket.bound(bound);
        let state = State {
            queue,
            held: HeldBytes::new(account, FREE_BYTES),
            socket: Some(socket),
            bound,
            sealed: Vec::new(),
            sent: 0,
            writing: false,
            driver: None,
        };
        Self {
            extended,
            max_record_len,
            started: Instant::now(),
            state: Mutex::new(state),
            room_ahead: Notify::new(),
            room: Notify::new(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // A panic under this lock can't leave the state half changed in a way that the next holder would trip over.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes the next piece to the socket, unless somebody else writes or an older part waits.
    fn write_piece<'a>(&'a self, mut state: MutexGuard<'a, State>) -> Result<MutexGuard<'a, State>, SendRefused> {
        if state.writing || state.has_sealed() {
            state.wake_driver();
            return Err(SendRefused::Full);
        }
        let Some(socket) = state.socket.clone() else {
            return Err(SendRefused::Closed);
        };
        let Some(Piece { bytes, start }) = state.queue.next_piece(rand::random) else {
            return Ok(state);
        };
        state.writing = true;
        drop(state);
        // An error is met by the driver, which reads the same socket.
        let written = socket.try_write(&bytes[start..]).unwrap_or(0);
        let has_unsent = socket.has_unsent();
        let mut state = self.lock();
        state.writing = false;
        self.count(&mut state, &socket, bytes.len() - start, written);
        state.keep_rest(bytes, start + written);
        if state.has_sealed() || has_unsent || state.queue.is_closed() {
            state.wake_driver();
        }
        self.tell_room();
        Ok(state)
    }

    /// Learns from a write what the link carries.
    fn count(&self, state: &mut State, socket: &Writer, offered: usize, taken: usize) {
        let pace = state.queue.pace();
        pace.wrote(offered, taken, self.started.elapsed());
        let bound = pace.ahead();
        if mem::replace(&mut state.bound, bound) != bound {
            socket.bound(bound);
        }
    }

    fn tell_room(&self) {
        self.room_ahead.notify_one();
        self.room.notify_one();
    }

    /// Writes a piece if nobody else writes; who does, writes it later.
    fn write_now<'a>(&'a self, state: MutexGuard<'a, State>) {
        if let Ok(mut state) = self.write_piece(state)
            && state.queue.has_records()
        {
            state.wake_driver();
        }
    }

    /// Sends a ping; it goes out before the records.
    pub(crate) fn ping(&self) {
        let mut state = self.lock();
        state.queue.ping();
        state.wake_driver();
    }

    /// Sends a pong; it goes out before the records.
    pub(crate) fn pong(&self, payload: &[u8]) {
        let mut state = self.lock();
        state.queue.pong(payload);
        state.wake_driver();
    }

    /// Writes what there is, until the socket takes no more. A batch that stands behind what was written, as senders go
    /// on, has to wait until other tasks of the thread have had their turn: to follow senders closely would make many
    /// short messages.
    pub(crate) fn poll_write(&self, socket: &Writer, cx: &mut Context<'_>) -> Poll<io::Result<Outgoing>> {
        let mut written = 0;
        loop {
            let was_closing;
            let (sealed, mut sent) = {
                let mut state = self.lock();
                if state.writing {
                    state.driver = Some(cx.waker().clone());
                    return Poll::Pending;
                }
                if !state.has_sealed() {
                    let is_worthwhile = state.queue.has_full_batch() && written < MAX_WRITTEN_AT_ONCE;
                    if written > 0 && state.queue.has_records() && !is_worthwhile {
                        return Poll::Ready(Ok(Outgoing::More));
                    }
                    let Some(Piece { bytes, start }) = state.queue.next_piece(rand::random) else {
                        state.driver = Some(cx.waker().clone());
                        state.held.shrink(0);
                        let outgoing = if state.queue.said_goodbye() {
                            Outgoing::Closed
                        } else {
                            Outgoing::Idle
                        };
                        drop(state);
                        ready!(socket.poll_flush(cx))?;
                        return Poll::Ready(Ok(outgoing));
                    };
                    state.keep_rest(bytes, start);
                    self.tell_room();
                }
                // Nobody need wake it to look for more: it does so when this is written.
                state.driver = None;
                state.writing = true;
                was_closing = state.queue.closing().is_some();
                (mem::take(&mut state.sealed), mem::take(&mut state.sent))
            };
            let before = sent;
            let result = write_some(socket, cx, &sealed, &mut sent);
            written += sent - before;
            let mut state = self.lock();
            state.writing = false;
            self.count(&mut state, socket, sealed.len() - before, sent - before);
            state.keep_rest(sealed, sent);
            if result.is_pending() {
                state.driver = Some(cx.waker().clone());
                // The time to close runs from now on, which the driver has to see.
                if state.queue.closing().is_some() && !was_closing {
                    state.wake_driver();
                }
            }
            drop(state);
            ready!(result)?;
        }
    }

    /// Why this side wants to close, while there is still something to be sent before.
    pub(crate) fn closing(&self) -> Option<CloseFrame> {
        self.lock().queue.closing().cloned()
    }

    /// Drops what nobody will read, and lets only the close frame follow: a frame that was begun is still finished.
    pub(crate) fn abandon(&self, frame: CloseFrame) {
        let mut state = self.lock();
        state.queue.abandon(frame);
        state.wake_driver();
    }

    /// The connection has ended: nothing is taken or kept any more, and everybody who waits for room learns it.
    pub(crate) fn end(&self) {
        let mut state = self.lock();
        state.queue.end();
        state.held.shrink(0);
        state.socket = None;
        state.driver = None;
        state.sealed = Vec::new();
        state.sent = 0;
        drop(state);
        for room in [&self.room_ahead, &self.room] {
            room.notify_waiters();
            room.notify_one();
        }
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
        let len = head.len() + body.len();
        let mut state = self.lock();
        // While a piece is written the next one fills up: only a look that finds room counts.
        loop {
            if state.queue.is_closed() {
                return Err(SendRefused::Closed);
            }
            if !state.queue.is_full_for(kind, len) {
                match state.hold(len) {
                    Ok(()) => break,
                    // Once that has left there is room.
                    Err(_) if state.queue.has_records() || state.has_sealed() || state.writing => {}
                    Err(limit) => return Err(SendRefused::OverShare(limit)),
                }
            }
            state = self.write_piece(state)?;
            // Whoever came meanwhile counts on the driver, which does nothing while somebody else writes.
            if state.queue.has_records() {
                state.wake_driver();
            }
        }
        state.queue.push(kind, head, body);
        match urgency {
            Urgency::Now => self.write_now(state),
            // Another of its length would not fit: written here, the sender may pause behind a full batch.
            Urgency::Pause if state.queue.is_full_for(kind, len) => {
                loop {
                    let Ok(next) = self.write_piece(state) else {
                        return Ok(Accepted::Queued);
                    };
                    state = next;
                    if state.has_sealed() || !state.queue.has_full_batch() {
                        break;
                    }
                }
                if !state.queue.has_records() && !state.has_sealed() {
                    return Ok(Accepted::BatchWritten);
                }
                state.wake_driver();
            }
            Urgency::Pause => state.wake_driver(),
            Urgency::Later => {}
        }
        Ok(Accepted::Queued)
    }

    fn sent(&self) -> u64 {
        self.lock().queue.given_out()
    }

    fn flush(&self) {
        let state = self.lock();
        if state.queue.has_records() {
            self.write_now(state);
        }
    }

    fn send_control(&self, control: &Control) {
        if !self.extended {
            return;
        }
        let mut state = self.lock();
        if state.queue.is_closed() {
            return;
        }
        if state.hold(MAX_CONTROL_LEN).is_err() || state.queue.push_control(control).is_err() {
            drop(state);
            self.close(Closing::Overwhelmed);
            return;
        }
        self.write_now(state);
    }

    fn room(&self, precedence: Precedence) -> &Notify {
        match precedence {
            Precedence::Ahead => &self.room_ahead,
            Precedence::Bulk => &self.room,
        }
    }

    fn close(&self, cause: Closing) {
        let code = match cause {
            Closing::Dropped | Closing::Idle | Closing::Uncancellable => CloseCode::NORMAL,
            Closing::ShuttingDown => CloseCode::GOING_AWAY,
            Closing::Overwhelmed | Closing::Stalled => CloseCode::POLICY_VIOLATION,
        };
        let mut state = self.lock();
        state.queue.close(CloseFrame::new(code, cause.to_string()));
        state.wake_driver();
    }
}

fn write_some(socket: &Writer, cx: &mut Context<'_>, bytes: &[u8], sent: &mut usize) -> Poll<io::Result<()>> {
    while *sent < bytes.len() {
        ready!(socket.tcp().poll_write_ready(cx))?;
        match socket.try_write(&bytes[*sent..]) {
            Ok(written) => *sent += written,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Poll::Ready(Err(error)),
        }
    }
    Poll::Ready(Ok(()))
}

#[cfg(test)]
mod tests;
