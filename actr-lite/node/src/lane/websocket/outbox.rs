use std::{
    io,
    ops::{Deref, DerefMut},
    sync::{Arc, PoisonError},
    task::{Context, Poll, Waker, ready},
};

use actr_lite_engine::outbox::{self, Accepted, Drive, Next, Urgency};
use actr_lite_wire::{
    control::Control,
    record::RecordKind,
    send_queue::Precedence,
    websocket::{CloseCode, CloseFrame, Role},
};
use tokio::time::Instant;

use crate::{
    lane::{
        closing::Closing,
        lane::{Lane, SendRefused},
        websocket::socket::Writer,
    },
    limits::{accounts::PeerAccount, held_bytes::HeldBytes},
    sync::{
        primitives::{Mutex, MutexGuard},
        room::Room,
    },
};

/// How much may wait to be sent that counts as a part of the connection.
const FREE_BYTES: usize = 16 << 10;

/// What is to be sent on a connection, and the socket for whoever has a batch together.
///
/// [`outbox::Outbox`] decides; this has the lock, the socket and the wakers. Whom the machine wants woken is woken when
/// the lock is let go of, and nobody writes under it.
pub(crate) struct Outbox {
    extended: bool,
    max_record_len: usize,
    started: Instant,
    state: Mutex<State>,
    room_ahead: Room,
    room: Room,
}

struct State {
    machine: outbox::Outbox<HeldBytes>,
    /// Gone when the connection has ended: whoever still knows the outbox must not keep the socket open.
    socket: Option<Arc<Writer>>,
    /// The connection's task, when it rests.
    driver: Option<Waker>,
}

/// The state under its lock. The fields are dropped in this order: first the lock is let go of, then somebody is woken.
struct Locked<'a> {
    state: MutexGuard<'a, State>,
    wake: Wake<'a>,
}

/// Wakes when it is dropped.
struct Wake<'a> {
    outbox: &'a Outbox,
    driver: Option<Waker>,
    room: outbox::Room,
}

impl Deref for Locked<'_> {
    type Target = State;

    fn deref(&self) -> &State {
        &self.state
    }
}

impl DerefMut for Locked<'_> {
    fn deref_mut(&mut self) -> &mut State {
        &mut self.state
    }
}

impl Locked<'_> {
    /// Lets go of the lock; this task is woken when there is something for the driver. A waker may run any code when it is
    /// dropped: the lock is free by then.
    fn rest(mut self, cx: &mut Context<'_>) {
        let replaced = self.state.driver.replace(cx.waker().clone());
        drop(self);
        drop(replaced);
    }
}

impl Drop for Locked<'_> {
    #[inline]
    fn drop(&mut self) {
        let notices = self.state.machine.take_notices();
        if notices.driver {
            self.wake.driver = self.state.driver.take();
        }
        self.wake.room = notices.room;
    }
}

impl Drop for Wake<'_> {
    #[inline]
    fn drop(&mut self) {
        if let Some(driver) = self.driver.take() {
            driver.wake();
        }
        self.outbox.tell_room(self.room);
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
    pub(crate) fn new(
        socket: Arc<Writer>,
        role: Role,
        extended: bool,
        max_record_len: usize,
        account: Arc<PeerAccount>,
    ) -> Self {
        let memory = HeldBytes::new(account, FREE_BYTES);
        let mut state = State {
            machine: outbox::Outbox::new(role, extended, memory),
            socket: None,
            driver: None,
        };
        state.bound(&socket);
        state.socket = Some(socket);
        Self {
            extended,
            max_record_len,
            started: Instant::now(),
            state: Mutex::new(state),
            room_ahead: Room::default(),
            room: Room::default(),
        }
    }

    fn lock(&self) -> Locked<'_> {
        Locked {
            // A panic under this lock can't leave the state half changed in a way that the next holder would trip over.
            state: self.state.lock().unwrap_or_else(PoisonError::into_inner),
            wake: Wake {
                outbox: self,
                driver: None,
                room: outbox::Room::Nobody,
            },
        }
    }

    fn tell_room(&self, told: outbox::Room) {
        for room in [&self.room_ahead, &self.room] {
            match told {
                outbox::Room::Nobody => {}
                outbox::Room::One => room.tell_one(),
                outbox::Room::Everyone => room.tell_all(),
            }
        }
    }

    /// Writes what a sender has to write itself, without the lock.
    fn write<'a>(&'a self, mut state: Locked<'a>, mut next: Next) -> (Locked<'a>, Accepted) {
        loop {
            let writing = match next {
                Next::Write(writing) => writing,
                Next::Done(accepted) => return (state, accepted),
            };
            let socket = state.socket.clone();
            drop(state);
            // An error is met by the driver, which reads the same socket.
            let (taken, has_unsent) = socket.as_ref().map_or((0, false), |socket| {
                let taken = socket.try_write(writing.bytes()).unwrap_or(0);
                (taken, socket.has_unsent())
            });
            state = self.lock();
            let now = self.started.elapsed();
            next = state.machine.wrote(writing, taken, has_unsent, now, rand::random);
            if let Some(socket) = socket {
                state.bound(&socket);
            }
        }
    }

    /// Sends a ping; it goes out before the records.
    pub(crate) fn ping(&self) {
        self.lock().machine.ping();
    }

    /// Sends a pong; it goes out before the records.
    pub(crate) fn pong(&self, payload: &[u8]) {
        self.lock().machine.pong(payload);
    }

    /// Writes what there is, until the socket takes no more.
    pub(crate) fn poll_write(&self, socket: &Writer, cx: &mut Context<'_>) -> Poll<io::Result<Outgoing>> {
        let mut written = 0;
        loop {
            let mut state = self.lock();
            let writing = match state.machine.drive(written, rand::random) {
                Drive::Write(writing) => writing,
                Drive::More => return Poll::Ready(Ok(Outgoing::More)),
                Drive::Busy => {
                    state.rest(cx);
                    return Poll::Pending;
                }
                rest @ (Drive::Idle | Drive::Closed) => {
                    state.rest(cx);
                    ready!(socket.poll_flush(cx))?;
                    return Poll::Ready(Ok(match rest {
                        Drive::Closed => Outgoing::Closed,
                        _ => Outgoing::Idle,
                    }));
                }
            };
            drop(state);
            let mut taken = 0;
            let result = write_some(socket, cx, writing.bytes(), &mut taken);
            written += taken;
            let mut state = self.lock();
            state.machine.drove(writing, taken, self.started.elapsed());
            state.bound(socket);
            if result.is_pending() {
                state.rest(cx);
            } else {
                drop(state);
            }
            ready!(result)?;
        }
    }

    /// Why this side wants to close.
    pub(crate) fn closing(&self) -> Option<CloseFrame> {
        self.lock().machine.closing().cloned()
    }

    /// Drops what nobody will read, and lets only the close frame follow: a frame that was begun is still finished.
    pub(crate) fn abandon(&self, frame: CloseFrame) {
        self.lock().machine.abandon(frame);
    }

    /// The connection has ended: nothing is taken or kept any more, and everybody who waits for room learns it.
    pub(super) fn end(&self) {
        let mut state = self.lock();
        state.machine.end();
        state.socket = None;
        let driver = state.driver.take();
        drop(state);
        drop(driver);
    }
}

impl State {
    /// Tells the socket what may lie between this side and the network, if that has changed.
    fn bound(&mut self, socket: &Writer) {
        if let Some(bound) = self.machine.new_bound() {
            socket.bound(bound);
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
        while let Some(writing) = state.machine.make_room(kind, len, rand::random)? {
            (state, _) = self.write(state, Next::Write(writing));
        }
        let next = state.machine.push(kind, urgency, head, body, rand::random);
        Ok(self.write(state, next).1)
    }

    fn sent(&self) -> u64 {
        self.lock().machine.given_out()
    }

    fn unsent(&self) -> usize {
        self.lock().machine.waiting()
    }

    fn flush(&self) {
        let mut state = self.lock();
        let next = state.machine.flush(rand::random);
        self.write(state, next);
    }

    fn send_control(&self, control: &Control) {
        if !self.extended {
            return;
        }
        let mut state = self.lock();
        match state.machine.push_control(control, rand::random) {
            Ok(next) => drop(self.write(state, next)),
            Err(_) => {
                drop(state);
                self.close(Closing::Overwhelmed);
            }
        }
    }

    fn room(&self, precedence: Precedence) -> &Room {
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
        let frame = CloseFrame::new(code, cause.to_string());
        self.lock().machine.close(frame);
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
