use std::{
    io,
    sync::{Arc, PoisonError},
    task::{Context, Poll, Waker, ready},
};

use actr_lite_engine::{
    accounts::PeerAccount,
    held_bytes::HeldBytes,
    outbox::{self, Accepted, Drive, Next, Notices, Sent, Urgency, Writing},
};
use actr_lite_wire::{
    control::Control,
    record::RecordKind,
    record_queue::Precedence,
    websocket::{CloseFrame, Role},
};
use tokio::time::Instant;

use crate::{
    lane::{
        closing::Closing,
        lane::{Lane, SendRefused},
        websocket::socket::Writer,
    },
    sync::{
        primitives::{Mutex, MutexGuard},
        room::Room,
    },
};

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
        let memory = HeldBytes::new(account, outbox::FREE_BYTES);
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

    /// Does something under the lock. Whom the machine then wants woken is woken when the lock is let go of.
    #[inline]
    fn locked<T>(&self, work: impl FnOnce(&mut State) -> T) -> T {
        // A panic under this lock can't leave the state half changed in a way that the next holder would trip over.
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let done = work(&mut state);
        let notices = state.machine.take_notices();
        if !notices.is_empty() {
            self.wake(state, notices);
        }
        done
    }

    #[inline(never)]
    fn wake(&self, mut state: MutexGuard<'_, State>, notices: Notices) {
        let driver = if notices.driver { state.driver.take() } else { None };
        drop(state);
        if let Some(driver) = driver {
            driver.wake();
        }
        for room in [&self.room_ahead, &self.room] {
            match notices.room {
                outbox::Room::Nobody => {}
                outbox::Room::One => room.tell_one(),
                outbox::Room::Everyone => room.tell_all(),
            }
        }
    }

    /// Writes what a sender has to write itself, without the lock.
    #[inline]
    fn write(&self, mut next: Next) -> Accepted {
        loop {
            match next {
                Next::Write(writing) => next = self.write_one(writing),
                Next::Done(accepted) => return accepted,
            }
        }
    }

    #[inline(never)]
    fn write_one(&self, writing: Writing) -> Next {
        let socket = self.locked(|state| state.socket.clone());
        // An error is met by the driver, which reads the same socket.
        let (taken, has_unsent) = socket.as_ref().map_or((0, false), |socket| {
            let taken = socket.try_write(writing.bytes()).unwrap_or(0);
            (taken, socket.has_unsent())
        });
        let now = self.started.elapsed();
        self.locked(|state| {
            let next = state.machine.wrote(writing, taken, has_unsent, now, rand::random);
            if let Some(socket) = socket {
                state.bound(&socket);
            }
            next
        })
    }

    /// Sends a ping; it goes out before the records.
    pub(crate) fn ping(&self) {
        self.locked(|state| state.machine.ping());
    }

    /// Sends a pong; it goes out before the records.
    pub(crate) fn pong(&self, payload: &[u8]) {
        self.locked(|state| state.machine.pong(payload));
    }

    /// Writes what there is, until the socket takes no more.
    pub(crate) fn poll_write(&self, socket: &Writer, cx: &mut Context<'_>) -> Poll<io::Result<Outgoing>> {
        let mut written = 0;
        loop {
            let (drive, _replaced) = self.locked(|state| {
                let drive = state.machine.drive(written, rand::random);
                let rests = matches!(drive, Drive::Busy | Drive::Idle | Drive::Closed);
                (drive, rests.then(|| state.driver_waits(cx)))
            });
            let writing = match drive {
                Drive::Write(writing) => writing,
                Drive::More => return Poll::Ready(Ok(Outgoing::More)),
                Drive::Busy => return Poll::Pending,
                rest @ (Drive::Idle | Drive::Closed) => {
                    ready!(socket.poll_flush(cx))?;
                    return Poll::Ready(Ok(match rest {
                        Drive::Closed => Outgoing::Closed,
                        _ => Outgoing::Idle,
                    }));
                }
            };
            let mut taken = 0;
            let result = write_some(socket, cx, writing.bytes(), &mut taken);
            written += taken;
            let _replaced = self.locked(|state| {
                state.machine.drove(writing, taken, self.started.elapsed());
                state.bound(socket);
                result.is_pending().then(|| state.driver_waits(cx))
            });
            ready!(result)?;
        }
    }

    /// Why this side wants to close.
    pub(crate) fn closing(&self) -> Option<CloseFrame> {
        self.locked(|state| state.machine.closing().cloned())
    }

    /// Drops what nobody will read, and lets only the close frame follow: a frame that was begun is still finished.
    pub(crate) fn abandon(&self, frame: CloseFrame) {
        self.locked(|state| state.machine.abandon(frame));
    }

    /// The connection has ended: nothing is taken or kept any more, and everybody who waits for room learns it.
    pub(super) fn end(&self) {
        let _dropped = self.locked(|state| {
            state.machine.end();
            (state.socket.take(), state.driver.take())
        });
    }
}

impl State {
    /// From now on this task is woken when the driver has something to do, and no other. A waker may run any code when it is
    /// dropped: that of an earlier turn is for the caller to drop, without the lock.
    fn driver_waits(&mut self, cx: &Context<'_>) -> Option<Waker> {
        self.driver.replace(cx.waker().clone())
    }

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
        // While a piece is written the next one fills up: only a look that finds room counts.
        loop {
            match self.locked(|state| state.machine.send(kind, urgency, head, body, rand::random)) {
                Ok(Sent::Taken(Next::Done(accepted))) => return Ok(accepted),
                Ok(Sent::Taken(next)) => return Ok(self.write(next)),
                Ok(Sent::After(writing)) => drop(self.write(Next::Write(writing))),
                Err(refused) => return Err(refused),
            }
        }
    }

    fn sent(&self) -> u64 {
        self.locked(|state| state.machine.given_out())
    }

    fn unsent(&self) -> usize {
        self.locked(|state| state.machine.waiting())
    }

    fn flush(&self) {
        let next = self.locked(|state| state.machine.flush(rand::random));
        self.write(next);
    }

    fn send_control(&self, control: &Control) {
        if !self.extended {
            return;
        }
        match self.locked(|state| state.machine.push_control(control, rand::random)) {
            Ok(next) => drop(self.write(next)),
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
        let frame = cause.frame();
        self.locked(|state| state.machine.close(frame));
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
