use std::{
    future::Future as _,
    io, mem,
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use actr_lite_wire::{
    keepalive::{Keepalive, KeepaliveAction, LifeSign},
    misbehaviour::MisbehaviourKind,
    unfinished::Unfinished,
    websocket::{CloseCode, CloseFrame, Decoded, Decoder, Event},
};
use bytes::BytesMut;
use tokio::{
    task::yield_now,
    time::{Instant, Sleep},
};

use super::{
    outbox::{Outbox, Outgoing},
    socket::{Read, Reader, Writer},
    write_gauge::Written,
};
use crate::{accounts::PeerAccount, held_bytes::HeldBytes, lane::Lane as _, session::SessionReceiver};

/// What a connection reads into at first, so that an answer with a frame of some kilobytes comes in one read. An idle
/// one keeps no more.
const MIN_READ: usize = 8 << 10;

/// How far the read buffer grows while reads fill it: a few batches, so that a system call brings more than one.
const MAX_READ: usize = 256 << 10;

/// Up to this length a read buffer is given back whenever there is nothing to read: making one anew costs less than what
/// a thousand connections that pause would keep.
const SMALL_READ: usize = 16 << 10;

/// How many bytes one poll takes before other tasks of the thread have their turn, among them whoever got an answer: a
/// fraction of a millisecond. With twice as much calls among streams wait longer.
const MAX_POLL_BYTES: usize = 512 << 10;

/// What a frame counts as, however short it is: a ping or an empty fragment takes six bytes, and as much work as a short
/// message. So one poll takes 256 of them at most.
const LEAST_FRAME_COST: usize = 2 << 10;

/// How many reads one poll makes, however little they bring: enough for the buffer to grow to its full size.
const READS_PER_POLL: usize = 16;

/// How long other tasks of the thread may take until a driver comes again that has given its turn up: ten times what a
/// turn of its own takes. Where they took longer it looks for another thread the next time.
const MAX_PAUSE: Duration = Duration::from_millis(5);

/// How long a connection that this side closes may take to send what it has, and then how long it waits for the peer
/// to have read everything and to close too.
pub(super) const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);

/// How an exchange ended.
pub(super) enum End {
    /// This node asked for it; all was sent, the close frame last.
    Closed(CloseFrame),
    /// This node asked for it; the peer did not read what came before.
    Stuck(CloseFrame),
    Peer(Option<CloseFrame>),
    Broken(String),
    Silent(Duration),
    Protocol(CloseCode, String),
}

/// What goes over one connection, in and out, as long as nothing ends it.
pub(super) struct Exchange<'a> {
    reader: Reader,
    socket: &'a Writer,
    outbox: &'a Outbox,
    decoder: Decoder,
    buffer: BytesMut,
    /// How much to read at once.
    want: usize,
    /// The buffer may hold a message that was not looked at.
    fresh: bool,
    started: Instant,
    keepalive: Keepalive,
    /// What the system had taken at the last look.
    written: Written,
    /// For what is read and not handed over yet.
    held: HeldBytes,
    /// The message that is under way.
    message: Unfinished,
    /// The record in parts that is, and how many were whole before it.
    partial: Unfinished,
    whole_records: u64,
    /// Why this side closes, and since when.
    closing: Option<(CloseFrame, Duration)>,
    /// When it gave its turn up though there was more to do.
    paused_at: Option<Duration>,
}

impl<'a> Exchange<'a> {
    /// An exchange that begins now, with what came behind the handshake.
    pub(super) fn new(
        reader: Reader,
        socket: &'a Writer,
        outbox: &'a Outbox,
        decoder: Decoder,
        leftover: BytesMut,
        account: &Arc<PeerAccount>,
        now: Instant,
    ) -> Self {
        Self {
            reader,
            socket,
            outbox,
            decoder,
            buffer: leftover,
            want: MIN_READ,
            fresh: true,
            started: now,
            keepalive: Keepalive::new(life_sign(outbox), Duration::ZERO),
            written: Written::default(),
            held: HeldBytes::new(Arc::clone(account), SMALL_READ),
            message: Unfinished::default(),
            partial: Unfinished::default(),
            whole_records: 0,
            closing: None,
            paused_at: None,
        }
    }

    /// Reads, writes and looks at the clock; ready when the connection ends. `timer` is the exchange's own.
    pub(super) fn poll(
        &mut self,
        cx: &mut Context<'_>,
        receiver: &mut SessionReceiver,
        mut timer: Pin<&mut Sleep>,
    ) -> Poll<End> {
        let pause = self.paused_at.take().map(|paused_at| self.now() - paused_at);
        let (mut left, mut has_more) = (MAX_POLL_BYTES, false);
        for _ in 0..READS_PER_POLL {
            if left == 0 {
                break;
            }
            if !has_more {
                match self.write(cx) {
                    Ok(more) => has_more = more,
                    Err(end) => return Poll::Ready(end),
                }
            }
            // A receiver without room stops the reading; then the peer's silence means nothing.
            if receiver.poll_room(cx).is_pending() {
                let now = self.now();
                self.keepalive.heard(now);
                self.keepalive.received();
                self.message.excuse(now);
                self.partial.excuse(now);
            } else {
                match self.poll_read(cx, receiver, left) {
                    Poll::Ready(Ok(cost)) => {
                        left = left.saturating_sub(cost);
                        continue;
                    }
                    Poll::Ready(Err(end)) => return Poll::Ready(end),
                    Poll::Pending => {}
                }
            }
            match self.poll_timer(cx, receiver.stall_timeout(), timer.as_mut()) {
                Poll::Pending if has_more => break,
                end => return end,
            }
        }
        // A peer that sends without a pause never lets the timer have its turn.
        if let Err(end) = self.check_unfinished(self.now(), receiver.stall_timeout()) {
            return Poll::Ready(end);
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
        if self.closing.is_none() {
            self.closing = self.outbox.closing().map(|frame| (frame, self.now()));
        }
        // A peer that sends without a pause and reads nothing never lets the timer have its turn.
        if let Some((frame, since)) = &self.closing
            && self.now() >= *since + CLOSE_TIMEOUT
        {
            return Err(End::Stuck(frame.clone()));
        }
        match self.outbox.poll_write(self.socket, cx) {
            Poll::Ready(Ok(Outgoing::Closed)) => {
                let frame = self
                    .closing
                    .take()
                    .map_or_else(|| CloseFrame::new(CloseCode::NORMAL, "it asked to"), |(frame, _)| frame);
                Err(End::Closed(frame))
            }
            Poll::Ready(Err(error)) => Err(End::Broken(error.to_string())),
            Poll::Ready(Ok(Outgoing::More)) => Ok(true),
            Poll::Ready(Ok(Outgoing::Idle)) | Poll::Pending => Ok(false),
        }
    }

    fn now(&self) -> Duration {
        self.started.elapsed()
    }

    /// One read, and what is complete with it, as far as `budget` goes; what that cost, in bytes.
    fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        receiver: &mut SessionReceiver,
        budget: usize,
    ) -> Poll<Result<usize, End>> {
        let mut len = 0;
        if !mem::take(&mut self.fresh) {
            self.make_room()?;
            match self.reader.poll_read(cx, &mut self.buffer) {
                Poll::Ready(Ok(Read { len: 0, .. })) => {
                    return Poll::Ready(Err(End::Broken("the peer closed it without a word".into())));
                }
                Poll::Ready(Ok(read)) => {
                    len = read.len;
                    if read.was_full {
                        self.want = (self.want * 2).min(MAX_READ);
                    } else if len < self.want / 8 {
                        // What is kept of a read keeps its whole buffer: a trickle gets small ones.
                        self.want = (self.want / 2).max(MIN_READ);
                    }
                }
                Poll::Ready(Err(error)) => {
                    // Only TLS finds fault with the bytes themselves.
                    if error.kind() == io::ErrorKind::InvalidData {
                        receiver.complain(MisbehaviourKind::ProtocolViolation, &error);
                    }
                    return Poll::Ready(Err(End::Broken(error.to_string())));
                }
                Poll::Pending => {
                    if self.buffer.is_empty() && self.want <= SMALL_READ {
                        self.buffer = BytesMut::new();
                        self.held.shrink(0);
                    }
                    return Poll::Pending;
                }
            }
            self.keepalive.heard(self.now());
        }
        let mut frames_cost = 0;
        loop {
            if frames_cost >= budget {
                self.fresh = true;
                return Poll::Ready(Ok(frames_cost));
            }
            frames_cost += LEAST_FRAME_COST;
            let decoded = self.decoder.decode_frame(&mut self.buffer);
            match decoded.map_err(|error| End::Protocol(error.close_code(), error.to_string()))? {
                Decoded::Incomplete => {
                    self.note_unfinished(receiver);
                    return Poll::Ready(Ok(len.max(frames_cost)));
                }
                Decoded::Event(Event::Binary(message)) => {
                    self.keepalive.received();
                    self.message = Unfinished::default();
                    receiver
                        .receive(message)
                        .map_err(|error| End::Protocol(error.close_code(), error.to_string()))?;
                    if receiver.poll_room(cx).is_pending() {
                        self.fresh = true;
                        return Poll::Ready(Ok(len.max(frames_cost)));
                    }
                }
                Decoded::Event(Event::Ping(payload)) => self.outbox.pong(&payload),
                Decoded::Event(Event::Pong(_)) | Decoded::Fragment => {}
                Decoded::Event(Event::Text) => {
                    let error = "text messages are not part of the data lane";
                    return Poll::Ready(Err(End::Protocol(CloseCode::UNSUPPORTED_DATA, error.into())));
                }
                Decoded::Event(Event::Close(frame)) => return Poll::Ready(Err(End::Peer(frame))),
            }
        }
    }

    /// Makes room for the next read. What a peer announces it may not have: then reads are short, or there is none.
    fn make_room(&mut self) -> Result<(), End> {
        // A fragmented message's buffer doubles as it grows.
        let held = self.buffer.len() + 2 * self.decoder.fragmented_len();
        let mut room = room(self.want, self.decoder.wanted(), self.buffer.len());
        if self.held.cover(held + room).is_err() {
            self.want = MIN_READ;
            room = MIN_READ;
            let over_share = |limit| End::Protocol(CloseCode::POLICY_VIOLATION, format!("this node has {limit}"));
            self.held.cover(held + room).map_err(over_share)?;
        }
        self.buffer.reserve(room);
        Ok(())
    }

    /// All that is complete was handed over.
    fn note_unfinished(&mut self, receiver: &SessionReceiver) {
        let (partial_len, whole_records) = receiver.partial();
        if mem::replace(&mut self.whole_records, whole_records) != whole_records {
            self.partial = Unfinished::default();
        }
        let is_within_message = self.decoder.is_within_message();
        if is_within_message {
            self.keepalive.received();
        } else {
            self.held.shrink(self.want + self.buffer.len());
        }
        if !is_within_message && partial_len == 0 {
            (self.message, self.partial) = Default::default();
            return;
        }
        let now = self.now();
        let message_len = 1 + self.buffer.len() + self.decoder.fragmented_len();
        self.message.note(if is_within_message { message_len } else { 0 }, now);
        self.partial.note(partial_len, now);
    }

    /// Tells what the system has taken since the last look.
    fn note_written(&mut self, now: Duration) {
        let written = self.socket.written();
        if written.bytes != self.written.bytes {
            self.keepalive.spoke(now);
        }
        if written.relieved != self.written.relieved {
            self.keepalive.taken(now);
        }
        self.written = written;
    }

    /// By when more has to come of what the peer has begun, if it has begun something.
    fn check_unfinished(&self, now: Duration, stall_timeout: Duration) -> Result<Option<Duration>, End> {
        let deadlines = [&self.message, &self.partial].map(|unfinished| unfinished.deadline(stall_timeout));
        let first = deadlines.into_iter().flatten().min();
        if first.is_some_and(|deadline| now >= deadline) {
            let error = "a message or record was begun, and not enough of it has come (system.limits.stall_timeout)";
            return Err(End::Protocol(CloseCode::POLICY_VIOLATION, error.into()));
        }
        Ok(first)
    }

    /// Pending until the next thing to do by the clock, or how the connection ends.
    fn poll_timer(&mut self, cx: &mut Context<'_>, stall_timeout: Duration, mut timer: Pin<&mut Sleep>) -> Poll<End> {
        loop {
            let now = self.now();
            self.note_written(now);
            let mut until = match self.keepalive.poll(now) {
                KeepaliveAction::GiveUp(silence) => return Poll::Ready(End::Silent(silence)),
                KeepaliveAction::Ping => {
                    self.outbox.ping();
                    if self.buffer.is_empty() {
                        self.buffer = BytesMut::new();
                        self.want = MIN_READ;
                        self.held.shrink(0);
                    }
                    // The outbox woke this task, which writes the ping in its next turn.
                    continue;
                }
                KeepaliveAction::Pong => {
                    self.outbox.pong(&[]);
                    continue;
                }
                KeepaliveAction::WaitUntil(until) => until,
            };
            if let Some((frame, since)) = &self.closing {
                if now >= *since + CLOSE_TIMEOUT {
                    return Poll::Ready(End::Stuck(frame.clone()));
                }
                until = until.min(*since + CLOSE_TIMEOUT);
            }
            match self.check_unfinished(now, stall_timeout) {
                Ok(deadline) => until = deadline.map_or(until, |deadline| until.min(deadline)),
                Err(end) => return Poll::Ready(end),
            }
            let until = self.started + until;
            if timer.deadline() != until {
                timer.as_mut().reset(until);
            }
            ready!(timer.as_mut().poll(cx));
        }
    }
}

/// By what the peer is known to live: one that speaks the extension says so itself.
fn life_sign(outbox: &Outbox) -> LifeSign {
    match outbox.has_control() {
        true => LifeSign::Speaks,
        false => LifeSign::Takes,
    }
}

/// How much room the next read gets, where so much is wanted at once, so much more is announced, and so much is here.
///
/// What is announced is within the limit, and still may never come: memory at most doubles what has.
fn room(want: usize, announced: usize, held: usize) -> usize {
    want.max(announced.min(held.max(MAX_READ)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_follows_what_has_come_and_not_what_is_announced() {
        const LEN: usize = 64 << 20;
        assert_eq!(room(MIN_READ, LEN, 0), MAX_READ, "a header alone");
        assert_eq!(room(MIN_READ, 100, 0), MIN_READ);
        assert_eq!(room(MIN_READ, MIN_READ + 1, 0), MIN_READ + 1);
        let (mut held, mut reads) = (0, 0);
        while held < LEN {
            let room = room(MIN_READ, LEN - held, held);
            assert!(room <= held.max(MAX_READ));
            held += room;
            reads += 1;
        }
        assert!(held == LEN && reads <= 10, "{reads} reads");
    }
}
