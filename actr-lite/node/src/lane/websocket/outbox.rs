use std::{
    io, mem,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker, ready},
};

use actr_lite_wire::{
    control::Control,
    record::{self, RecordKind},
    websocket::{CloseCode, CloseFrame, ControlFrame, HEADER_ROOM, Role, encode_control, seal},
};
use tokio::sync::Notify;

use super::socket::Writer;
use crate::lane::{Accepted, Closing, Lane, SendRefused, Urgency};

/// When a batch is written out: beyond 64 KiB a write the measured rate does not rise any more, and below it falls.
const HIGH_WATER: usize = 64 << 10;

/// How far calls may go beyond that: streams that keep a connection full must not keep a call waiting.
const CALL_RESERVE: usize = 64 << 10;

/// How many bytes of control records may wait for a peer that does not read: thousands of streams' worth.
const MAX_CONTROL_BACKLOG: usize = 1 << 20;

/// What is to be sent on a connection, and the socket for whoever has a batch together.
pub(super) struct Outbox {
    role: Role,
    /// Whether the peer takes batches and control records; otherwise one record makes one message.
    extended: bool,
    max_record_len: usize,
    state: Mutex<State>,
    room: Notify,
}

#[derive(Default)]
struct State {
    /// Gone when the connection has ended: whoever still knows the outbox must not keep the socket open.
    socket: Option<Arc<Writer>>,
    /// Extended: room for a header, then records. Otherwise: whole messages.
    batch: Vec<u8>,
    /// How long the last batch was: the next one's buffer is made for as much.
    last_len: usize,
    /// Whole frames, or the rest of some: they go out before the batch.
    sealed: Vec<u8>,
    /// How much of `sealed` is sent.
    sent: usize,
    /// Somebody writes to the socket, without the lock.
    writing: bool,
    /// The connection's task, while it has nothing to write.
    driver: Option<Waker>,
    /// How many bytes of control records `batch` holds.
    control: usize,
    /// To be sent behind everything else.
    closing: Option<CloseFrame>,
    /// The close frame stands in `sealed`, or went out.
    said_goodbye: bool,
    /// Nothing is taken any more.
    closed: bool,
}

impl State {
    fn wake_driver(&mut self) {
        if let Some(driver) = self.driver.take() {
            driver.wake();
        }
    }

    fn take_batch(&mut self) -> Vec<u8> {
        self.control = 0;
        self.last_len = self.batch.len();
        mem::take(&mut self.batch)
    }

    fn has_sealed(&self) -> bool {
        self.sent < self.sealed.len()
    }
}

/// What the driver has to do for the way out.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Outgoing {
    /// Nothing now; the driver is woken when there is.
    Idle,
    /// Senders have added more while the driver wrote; it has to come back for that.
    More,
    /// All was sent, the close frame last.
    Closed,
}

impl Outbox {
    pub(super) fn new(socket: Arc<Writer>, role: Role, extended: bool, max_record_len: usize) -> Self {
        let state = State {
            socket: Some(socket),
            ..State::default()
        };
        Self {
            role,
            extended,
            max_record_len,
            state: Mutex::new(state),
            room: Notify::new(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // A panic under this lock can't leave the state half changed in a way that the next holder would trip over.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn mask(&self) -> Option<[u8; 4]> {
        self.role.masks().then(rand::random)
    }

    fn append(&self, state: &mut State, kind: RecordKind, head: &[u8], body: &[u8]) {
        let start = state.batch.len();
        if start == 0 {
            let len = HEADER_ROOM + record::HEADER_LEN + head.len() + body.len();
            let expected = state.last_len.max(len);
            state.batch.reserve_exact(expected.next_power_of_two());
        }
        if !self.extended || start == 0 {
            state.batch.resize(start + HEADER_ROOM, 0);
        }
        state
            .batch
            .extend_from_slice(&record::header(kind, head.len() + body.len()));
        state.batch.extend_from_slice(head);
        state.batch.extend_from_slice(body);
        if !self.extended {
            let unused = seal(&mut state.batch[start..], self.mask());
            state.batch.drain(start..start + unused);
        }
    }

    /// Writes the batch to the socket, unless somebody else writes or an older part waits.
    fn write_batch<'a>(&'a self, mut state: MutexGuard<'a, State>) -> Result<MutexGuard<'a, State>, SendRefused> {
        if state.writing || state.has_sealed() {
            state.wake_driver();
            return Err(SendRefused::Full);
        }
        let Some(socket) = state.socket.clone() else {
            return Err(SendRefused::Closed);
        };
        state.writing = true;
        let mut batch = state.take_batch();
        drop(state);
        let start = if self.extended {
            seal(&mut batch, self.mask())
        } else {
            0
        };
        // An error is met by the driver, which reads the same socket.
        let written = socket.try_write(&batch[start..]).unwrap_or(0);
        let has_unsent = socket.has_unsent();
        let mut state = self.lock();
        state.writing = false;
        if start + written < batch.len() {
            // Control frames that came meanwhile go behind the rest of the batch.
            let control_frames = mem::replace(&mut state.sealed, batch);
            state.sealed.extend_from_slice(&control_frames);
            state.sent = start + written;
        }
        if state.has_sealed() || has_unsent || state.closing.is_some() || state.closed {
            state.wake_driver();
        }
        self.room.notify_one();
        Ok(state)
    }

    /// Writes the batch if nobody else writes; who does, writes it later.
    fn write_now<'a>(&'a self, state: MutexGuard<'a, State>) {
        if let Ok(mut state) = self.write_batch(state)
            && !state.batch.is_empty()
        {
            state.wake_driver();
        }
    }

    /// Appends a ping or a pong; it goes out before the records.
    pub(super) fn send_control_frame(&self, frame: ControlFrame<'_>) {
        let frame = encode_control(frame, self.mask());
        let mut state = self.lock();
        if state.sealed.len() - state.sent < MAX_CONTROL_BACKLOG {
            state.sealed.extend_from_slice(&frame);
        }
        state.wake_driver();
    }

    /// Writes what there is, until the socket takes no more. What senders add meanwhile has to wait until other tasks of
    /// Writes what there is, until the socket takes no more. A batch that stands behind what was written, as senders go
    /// on, has to wait until other tasks of the thread have had their turn: to follow senders closely would make many
    /// short messages.
    pub(super) fn poll_write(&self, socket: &Writer, cx: &mut Context<'_>) -> Poll<io::Result<Outgoing>> {
        let mut has_written = false;
        loop {
            let was_closing;
            let (mut sealed, mut sent) = {
                let mut state = self.lock();
                if state.writing {
                    state.driver = Some(cx.waker().clone());
                    return Poll::Pending;
                }
                if !state.has_sealed() {
                    if has_written && !state.batch.is_empty() {
                        return Poll::Ready(Ok(Outgoing::More));
                    }
                    if !self.seal_next(&mut state) {
                        state.driver = Some(cx.waker().clone());
                        let outgoing = if state.said_goodbye {
                            Outgoing::Closed
                        } else {
                            Outgoing::Idle
                        };
                        drop(state);
                        ready!(socket.poll_flush(cx))?;
                        return Poll::Ready(Ok(outgoing));
                    }
                }
                // Nobody need wake it to look for more: it does so when this is written.
                state.driver = None;
                state.writing = true;
                has_written = true;
                was_closing = state.closing.is_some();
                (mem::take(&mut state.sealed), mem::take(&mut state.sent))
            };
            let result = write_some(socket, cx, &sealed, &mut sent);
            let mut state = self.lock();
            state.writing = false;
            let control_frames = mem::take(&mut state.sealed);
            if sent == sealed.len() {
                sealed.clear();
                sent = 0;
            }
            sealed.extend_from_slice(&control_frames);
            state.sealed = sealed;
            state.sent = sent;
            if result.is_pending() {
                state.driver = Some(cx.waker().clone());
                // The time to close runs from now on, which the driver has to see.
                if state.closing.is_some() && !was_closing {
                    state.wake_driver();
                }
            }
            drop(state);
            ready!(result)?;
        }
    }

    /// Makes the next thing ready to be written: the batch, or the close frame when that is all. False: nothing.
    fn seal_next(&self, state: &mut State) -> bool {
        // Buffers are made for what is to be sent, and kept no longer: a thousand connections that pause cost nothing.
        state.sealed = Vec::new();
        state.sent = 0;
        if !state.batch.is_empty() {
            state.sealed = state.take_batch();
            if self.extended {
                state.sent = seal(&mut state.sealed, self.mask());
            }
            self.room.notify_one();
            return true;
        }
        let Some(frame) = state.closing.take() else {
            return false;
        };
        state
            .sealed
            .extend_from_slice(&encode_control(ControlFrame::Close(Some(&frame)), self.mask()));
        state.said_goodbye = true;
        state.closed = true;
        true
    }

    /// Why this side wants to close, while there is still something to be sent before.
    pub(super) fn closing(&self) -> Option<CloseFrame> {
        self.lock().closing.clone()
    }

    /// Drops what nobody will read, and lets only the close frame follow: a frame that was begun is still finished.
    pub(super) fn abandon(&self, frame: CloseFrame) {
        let mut state = self.lock();
        state.closed = true;
        state.batch.clear();
        if !state.said_goodbye {
            state.closing = Some(frame);
        }
        state.wake_driver();
    }

    /// The connection has ended: nothing is taken or kept any more, and everybody who waits for room learns it.
    pub(super) fn end(&self) {
        let mut state = self.lock();
        state.closed = true;
        state.socket = None;
        state.driver = None;
        state.batch = Vec::new();
        state.sealed = Vec::new();
        state.sent = 0;
        drop(state);
        self.room.notify_waiters();
        self.room.notify_one();
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
        let len = record::HEADER_LEN + head.len() + body.len();
        let is_call = matches!(kind, RecordKind::RpcReliable | RecordKind::RpcSignal);
        let high_water = if is_call { HIGH_WATER + CALL_RESERVE } else { HIGH_WATER };
        let mut state = self.lock();
        // While a batch is written the next one fills up: only a look that finds room counts.
        loop {
            if state.closed || state.closing.is_some() {
                return Err(SendRefused::Closed);
            }
            if state.batch.is_empty() || state.batch.len() + len <= high_water {
                break;
            }
            state = self.write_batch(state)?;
            // Whoever came meanwhile counts on the driver, which does nothing while somebody else writes.
            if !state.batch.is_empty() {
                state.wake_driver();
            }
        }
        self.append(&mut state, kind, head, body);
        match urgency {
            Urgency::Now => self.write_now(state),
            // Another of its length would not fit: written here, the sender may pause behind a full batch.
            Urgency::Pause if state.batch.len() + len > high_water => {
                if let Ok(mut state) = self.write_batch(state) {
                    if state.batch.is_empty() && !state.has_sealed() {
                        return Ok(Accepted::BatchWritten);
                    }
                    state.wake_driver();
                }
            }
            Urgency::Pause => state.wake_driver(),
            Urgency::Later => {}
        }
        Ok(Accepted::Queued)
    }

    fn flush(&self) {
        let state = self.lock();
        if !state.batch.is_empty() {
            self.write_now(state);
        }
    }

    fn send_control(&self, control: &Control) {
        if !self.extended {
            return;
        }
        let (kind, body) = control.encode();
        let mut state = self.lock();
        if state.closed || state.closing.is_some() {
            return;
        }
        state.control += record::HEADER_LEN + body.len();
        if state.control > MAX_CONTROL_BACKLOG {
            drop(state);
            self.close(Closing::Overwhelmed);
            return;
        }
        self.append(&mut state, kind, &[], &body);
        self.write_now(state);
    }

    fn room(&self, _kind: RecordKind) -> &Notify {
        &self.room
    }

    fn close(&self, cause: Closing) {
        let code = match cause {
            Closing::Dropped | Closing::Idle | Closing::Uncancellable => CloseCode::NORMAL,
            Closing::ShuttingDown => CloseCode::GOING_AWAY,
            Closing::Overwhelmed => CloseCode::POLICY_VIOLATION,
        };
        let mut state = self.lock();
        if state.closing.is_none() && !state.closed {
            state.closing = Some(CloseFrame::new(code, cause.to_string()));
        }
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
