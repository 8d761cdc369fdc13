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
use tokio::{net::TcpStream, sync::Notify};

use crate::lane::{Lane, SendRefused};

/// When a batch is written out: beyond 64 KiB a write the measured rate does not rise any more, and below it falls.
const HIGH_WATER: usize = 64 << 10;

/// How many bytes of control records may wait for a peer that does not read: thousands of streams' worth.
const MAX_CONTROL_BACKLOG: usize = 1 << 20;

/// What an idle connection keeps of its buffers.
const IDLE_CAPACITY: usize = 4 << 10;

/// What is to be sent on a connection, and the socket for whoever has a batch together.
pub(super) struct Outbox {
    socket: Arc<TcpStream>,
    role: Role,
    /// Whether the peer takes batches and control records; otherwise one record makes one message.
    extended: bool,
    max_record_len: usize,
    state: Mutex<State>,
    room: Notify,
}

#[derive(Default)]
struct State {
    /// Extended: room for a header, then records. Otherwise: whole messages.
    batch: Vec<u8>,
    /// An empty buffer to take the batch's place while that is written.
    spare: Vec<u8>,
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
    closing: Option<CloseFrame>,
    closed: bool,
}

impl State {
    fn wake_driver(&mut self) {
        if let Some(driver) = self.driver.take() {
            driver.wake();
        }
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
    /// All was sent, and then the close frame.
    Closed(CloseFrame),
}

impl Outbox {
    pub(super) fn new(socket: Arc<TcpStream>, role: Role, extended: bool, max_record_len: usize) -> Self {
        Self {
            socket,
            role,
            extended,
            max_record_len,
            state: Mutex::default(),
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
        state.writing = true;
        state.control = 0;
        let spare = mem::take(&mut state.spare);
        let mut batch = mem::replace(&mut state.batch, spare);
        drop(state);
        let start = if self.extended {
            seal(&mut batch, self.mask())
        } else {
            0
        };
        // An error is met by the driver, which reads the same socket.
        let written = self.socket.try_write(&batch[start..]).unwrap_or(0);
        let mut state = self.lock();
        state.writing = false;
        if start + written == batch.len() {
            batch.clear();
            state.spare = batch;
        } else {
            // Control frames that came meanwhile go behind the rest of the batch.
            let control_frames = mem::replace(&mut state.sealed, batch);
            state.sealed.extend_from_slice(&control_frames);
            state.sent = start + written;
            state.wake_driver();
        }
        self.room.notify_one();
        Ok(state)
    }

    /// Writes the batch if nobody else writes; who does, writes it later.
    fn write_now<'a>(&'a self, state: MutexGuard<'a, State>) {
        if let Ok(mut state) = self.write_batch(state)
            && (state.has_sealed() || !state.batch.is_empty() || state.closing.is_some())
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

    /// Writes until there is nothing more or the socket takes no more.
    pub(super) fn poll_write(&self, cx: &mut Context<'_>) -> Poll<io::Result<Outgoing>> {
        loop {
            let (mut sealed, mut sent) = {
                let mut state = self.lock();
                state.driver = Some(cx.waker().clone());
                if state.writing {
                    return Poll::Pending;
                }
                if !state.has_sealed() {
                    if state.batch.is_empty() {
                        let Some(frame) = state.closing.take() else {
                            return Poll::Ready(Ok(Outgoing::Idle));
                        };
                        state.closed = true;
                        return Poll::Ready(Ok(Outgoing::Closed(frame)));
                    }
                    state.sealed.clear();
                    let empty = mem::take(&mut state.sealed);
                    let mut batch = mem::replace(&mut state.batch, empty);
                    state.control = 0;
                    state.sent = if self.extended {
                        seal(&mut batch, self.mask())
                    } else {
                        0
                    };
                    state.sealed = batch;
                    self.room.notify_one();
                }
                state.writing = true;
                (mem::take(&mut state.sealed), mem::take(&mut state.sent))
            };
            let result = self.write_some(cx, &sealed, &mut sent);
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
            drop(state);
            ready!(result)?;
        }
    }

    fn write_some(&self, cx: &mut Context<'_>, bytes: &[u8], sent: &mut usize) -> Poll<io::Result<()>> {
        while *sent < bytes.len() {
            ready!(self.socket.poll_write_ready(cx))?;
            match self.socket.try_write(&bytes[*sent..]) {
                Ok(written) => *sent += written,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
        Poll::Ready(Ok(()))
    }

    /// From now on nothing is taken; everybody who waits for room learns it.
    pub(super) fn mark_closed(&self) {
        self.lock().closed = true;
        self.room.notify_waiters();
        self.room.notify_one();
    }

    /// Gives back what an idle connection does not need.
    pub(super) fn shrink(&self) {
        let mut state = self.lock();
        state.spare.shrink_to(IDLE_CAPACITY);
        if state.batch.is_empty() {
            state.batch.shrink_to(IDLE_CAPACITY);
        }
        if !state.has_sealed() && !state.writing {
            state.sealed.clear();
            state.sealed.shrink_to(IDLE_CAPACITY);
            state.sent = 0;
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

    fn try_send(&self, kind: RecordKind, head: &[u8], body: &[u8]) -> Result<(), SendRefused> {
        let len = record::HEADER_LEN + head.len() + body.len();
        let mut state = self.lock();
        if state.closed || state.closing.is_some() {
            return Err(SendRefused::Closed);
        }
        if !state.batch.is_empty() && state.batch.len() + len > HIGH_WATER {
            state = self.write_batch(state)?;
            if state.closed {
                return Err(SendRefused::Closed);
            }
        }
        self.append(&mut state, kind, head, body);
        let is_call = matches!(kind, RecordKind::RpcReliable | RecordKind::RpcSignal);
        if is_call {
            self.write_now(state);
        } else {
            state.wake_driver();
        }
        Ok(())
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
            state.closing = Some(CloseFrame::new(
                CloseCode::POLICY_VIOLATION,
                "too many control records wait to be read",
            ));
            state.wake_driver();
            return;
        }
        self.append(&mut state, kind, &[], &body);
        self.write_now(state);
    }

    fn room(&self) -> &Notify {
        &self.room
    }

    fn close(&self, code: CloseCode, reason: &str) {
        let mut state = self.lock();
        if state.closing.is_none() {
            state.closing = Some(CloseFrame::new(code, reason));
        }
        state.wake_driver();
    }
}
