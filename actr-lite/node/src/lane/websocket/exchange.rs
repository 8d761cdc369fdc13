use std::{
    future::Future as _,
    io,
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use actr_lite_engine::{
    connection::{Connection, Due, End, Incoming},
    held_bytes::HeldBytes,
};
use actr_lite_wire::misbehaviour::MisbehaviourKind;
use tokio::{
    task::yield_now,
    time::{Instant, Sleep},
};

use crate::lane::{
    receiver::Receiver,
    websocket::{
        outbox::{Outbox, Outgoing},
        socket::{Reader, Writer},
    },
};

/// How long other tasks of the thread may take until a driver comes again that has given its turn up: ten times what a
/// turn of its own takes. Where they took longer it looks for another thread the next time.
const MAX_PAUSE: Duration = Duration::from_millis(5);

/// What goes over one connection, in and out, as long as nothing ends it. [`Connection`] and the outbox's machine decide;
/// this has the socket and the clock.
pub(super) struct Exchange {
    reader: Reader,
    socket: Arc<Writer>,
    outbox: Arc<Outbox>,
    connection: Connection<HeldBytes>,
    started: Instant,
    /// When it gave its turn up though there was more to do.
    paused_at: Option<Duration>,
}

impl Exchange {
    /// An exchange that begins now.
    pub(super) fn new(
        reader: Reader,
        socket: Arc<Writer>,
        outbox: Arc<Outbox>,
        connection: Connection<HeldBytes>,
        now: Instant,
    ) -> Self {
        Self {
            reader,
            socket,
            outbox,
            connection,
            started: now,
            paused_at: None,
        }
    }

    /// Reads, writes and looks at the clock; ready when the connection ends. `timer` is the exchange's own.
    pub(super) fn poll(
        &mut self,
        cx: &mut Context<'_>,
        receiver: &mut impl Receiver,
        mut timer: Pin<&mut Sleep>,
    ) -> Poll<End> {
        let pause = self.paused_at.take().map(|paused_at| self.now() - paused_at);
        let mut has_more = false;
        self.connection.begin_turn();
        loop {
            match self.connection.goes_on(|| self.started.elapsed()) {
                Ok(true) => {}
                Ok(false) => break,
                Err(end) => return Poll::Ready(end),
            }
            if !has_more {
                match self.write(cx) {
                    Ok(more) => has_more = more,
                    Err(end) => return Poll::Ready(end),
                }
            }
            if receiver.poll_room(cx).is_pending() {
                self.connection.is_not_read(self.now());
            } else {
                match self.poll_read(cx, receiver) {
                    Poll::Ready(Ok(())) => continue,
                    Poll::Ready(Err(end)) => return Poll::Ready(end),
                    Poll::Pending => {}
                }
            }
            match self.poll_timer(cx, timer.as_mut()) {
                Poll::Pending if has_more => break,
                end => return end,
            }
        }
        self.yield_turn(cx, pause);
        Poll::Pending
    }

    /// Comes again when other tasks of the thread have had their turn; `pause` is what they took the last time.
    fn yield_turn(&mut self, cx: &mut Context<'_>, pause: Option<Duration>) {
        self.paused_at = Some(self.now());
        if pause.is_some_and(|pause| pause > MAX_PAUSE) {
            cx.waker().wake_by_ref();
        } else {
            // A task that wakes itself goes to another thread, if one is idle: then two of them run where there is work
            // for one, and what the first was about to do waits for a processor. Polled once, this wakes it when the
            // other tasks of this thread have had their turn.
            let _ = pin!(yield_now()).poll(cx);
        }
    }

    /// Writes what there is to write; whether there is more, for the next turn.
    fn write(&mut self, cx: &mut Context<'_>) -> Result<bool, End> {
        self.connection.look_at_close(|| self.outbox.closing(), self.now())?;
        match self.outbox.poll_write(&self.socket, cx) {
            Poll::Ready(Ok(Outgoing::Closed)) => Err(self.connection.closed(|| self.outbox.closing())),
            Poll::Ready(Err(error)) => Err(End::Broken(error.to_string())),
            Poll::Ready(Ok(Outgoing::More)) => Ok(true),
            Poll::Ready(Ok(Outgoing::Idle)) | Poll::Pending => Ok(false),
        }
    }

    fn now(&self) -> Duration {
        self.started.elapsed()
    }

    /// One read, and what is complete with it, as far as the turn goes.
    fn poll_read(&mut self, cx: &mut Context<'_>, receiver: &mut impl Receiver) -> Poll<Result<(), End>> {
        let now = match self.connection.buffer()? {
            None => self.now(),
            Some(buffer) => match self.reader.poll_read(cx, buffer) {
                Poll::Ready(Ok(read)) => {
                    let now = self.now();
                    self.connection.has_read(read.len, read.was_full, now)?;
                    now
                }
                Poll::Ready(Err(error)) => {
                    // Only TLS finds fault with the bytes themselves.
                    if error.kind() == io::ErrorKind::InvalidData {
                        receiver.complain(MisbehaviourKind::ProtocolViolation, &error);
                    }
                    return Poll::Ready(Err(End::Broken(error.to_string())));
                }
                Poll::Pending => {
                    self.connection.found_nothing();
                    return Poll::Pending;
                }
            },
        };
        loop {
            match self.connection.incoming()? {
                Incoming::Message(message) => {
                    receiver
                        .receive(message)
                        .map_err(|violation| End::Protocol(violation.code, violation.reason))?;
                    if receiver.poll_room(cx).is_pending() {
                        break;
                    }
                }
                Incoming::Ping(payload) => self.outbox.pong(&payload),
                Incoming::Nothing => {
                    self.connection.caught_up(receiver.partial(), now);
                    break;
                }
                Incoming::Later => break,
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Pending until the next thing to do by the clock, or how the connection ends.
    fn poll_timer(&mut self, cx: &mut Context<'_>, mut timer: Pin<&mut Sleep>) -> Poll<End> {
        loop {
            match self.connection.due(self.socket.written(), self.now()) {
                Err(end) => return Poll::Ready(end),
                // The outbox wakes this task, which writes it in its next turn.
                Ok(Due::Ping) => self.outbox.ping(),
                Ok(Due::Pong) => self.outbox.pong(&[]),
                Ok(Due::At(until)) => {
                    let until = self.started + until;
                    if timer.deadline() != until {
                        timer.as_mut().reset(until);
                    }
                    ready!(timer.as_mut().poll(cx));
                }
            }
        }
    }
}
