use std::time::Duration;

use actr_lite_engine::{incoming::IncomingStreams, message_reader::MessageReader};
use actr_lite_wire::{
    control::Control,
    identity::{ActrId, StreamId},
    keepalive::{DEAD_AFTER, Keepalive, KeepaliveAction, LifeSign, PING_AFTER},
    record::DEFAULT_MAX_RECORD_LEN,
    websocket::{CloseCode, CloseFrame, Decoder, Event, Role},
};
use bytes::{Bytes, BytesMut};

use crate::{
    context::{Context, earlier},
    handshake::READ,
    network::{Read, Socket},
    outbox::Outbox,
    outgoing::Outgoing,
};

/// How much the windows of all streams of a connection may grow together: the node's own bound.
const CONNECTION_GROWTH: u64 = 1 << 20;

/// How long a connection that this side closes may take to send what it has, and then to see the peer's end: the
/// node's own bound.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Open,
    /// The session is over; what was said last goes out, and the peer's end is waited for.
    Lingering {
        until: Duration,
        answers: bool,
    },
    Gone,
}

/// How a connection ended.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Ended {
    Closed,
    Stuck,
    Peer,
    Broken,
    Silent,
}

/// One end of a data lane connection: as the node's driver and session, without the node.
#[derive(Debug)]
pub(crate) struct Lane {
    pub(crate) socket: Socket,
    pub(crate) peer: ActrId,
    pub(crate) extended: bool,
    pub(crate) outbox: Outbox,
    decoder: Decoder,
    buffer: BytesMut,
    started: Duration,
    keepalive: Keepalive,
    /// What the outbox had written, and after a refusal, at the last look.
    written: (u64, u64),
    /// Gone while it reads.
    pub(crate) reader: Option<MessageReader<()>>,
    closing_since: Option<Duration>,
    state: State,
    /// Whose inbox is full, with a sender that knows no credit.
    pub(crate) full: Option<StreamId>,
    pub(crate) outgoing: Vec<Outgoing>,
    pub(crate) incoming: IncomingStreams<()>,
    pub(crate) growth: u64,
    /// For the check that silence is noticed: when something came last, and when the lane last had its turn.
    heard: Duration,
}

impl Lane {
    pub(crate) fn new(
        socket: Socket,
        peer: ActrId,
        role: Role,
        extended: bool,
        buffer: BytesMut,
        cx: &mut Context<'_>,
    ) -> Self {
        Self {
            socket,
            peer,
            extended,
            outbox: Outbox::new(role, extended),
            decoder: Decoder::new(role, 2 * DEFAULT_MAX_RECORD_LEN),
            buffer,
            started: cx.now,
            keepalive: Keepalive::new(
                if extended { LifeSign::Speaks } else { LifeSign::Takes },
                Duration::ZERO,
            ),
            written: (0, 0),
            reader: Some(MessageReader::new(extended, DEFAULT_MAX_RECORD_LEN)),
            closing_since: None,
            state: State::Open,
            full: None,
            outgoing: Vec::new(),
            incoming: IncomingStreams::new(cx.now),
            growth: CONNECTION_GROWTH,
            heard: cx.now,
        }
    }

    pub(crate) fn is_open(&self) -> bool {
        self.state == State::Open
    }

    /// How much has come of a record in parts that is not whole yet.
    pub(crate) fn partial_len(&self) -> usize {
        self.reader.as_ref().map_or(0, MessageReader::partial_len)
    }

    pub(crate) fn is_gone(&self) -> bool {
        self.state == State::Gone
    }

    pub(crate) fn send_control(&mut self, control: &Control, cx: &mut Context<'_>) {
        self.outbox.send_control(control, self.socket, cx);
    }

    pub(crate) fn close(&mut self) {
        self.outbox
            .close(CloseFrame::new(CloseCode::GOING_AWAY, "the node is shutting down"));
    }

    fn age(&self, cx: &Context<'_>) -> Duration {
        cx.now - self.started
    }

    /// A receiver without room stops the reading; then the peer's silence means nothing.
    pub(crate) fn is_not_read(&mut self, cx: &mut Context<'_>) {
        self.keepalive.heard(self.age(cx));
        self.keepalive.received();
        self.heard = cx.now;
    }

    /// Writes what the connection takes.
    pub(crate) fn write(&mut self, cx: &mut Context<'_>) -> Result<(), Ended> {
        if self.closing_since.is_none() && self.outbox.is_closing() {
            self.closing_since = Some(cx.now);
        }
        match self.outbox.drive(self.socket, cx) {
            Ok(true) => Err(Ended::Closed),
            Ok(false) => Ok(()),
            Err(_) => Err(Ended::Broken),
        }
    }

    /// The next message; none now.
    pub(crate) fn read(&mut self, cx: &mut Context<'_>) -> Result<Option<Bytes>, Ended> {
        loop {
            match self.decoder.decode(&mut self.buffer) {
                Ok(Some(Event::Binary(message))) => {
                    self.keepalive.received();
                    return Ok(Some(message));
                }
                Ok(Some(Event::Ping(payload))) => self.outbox.pong(&payload),
                Ok(Some(Event::Pong(_))) => {}
                Ok(Some(Event::Close(_))) => return Err(Ended::Peer),
                Ok(Some(Event::Text)) => cx.fail("a text message"),
                Ok(None) => {
                    if self.decoder.is_within_message() {
                        self.keepalive.received();
                    }
                    match cx.network.read(self.socket, &mut self.buffer, READ, cx.now) {
                        Read::Bytes(_) => {
                            self.keepalive.heard(self.age(cx));
                            self.heard = cx.now;
                        }
                        Read::Nothing => return Ok(None),
                        Read::End | Read::Reset => return Err(Ended::Broken),
                    }
                }
                Err(error) => {
                    cx.fail(format!("{} broke the protocol: {error}", self.peer));
                    return Err(Ended::Broken);
                }
            }
        }
    }

    /// Tells the keep-alive what the network has taken since the last look.
    fn note_written(&mut self, cx: &Context<'_>) {
        let (age, written) = (self.age(cx), (self.outbox.written, self.outbox.relieved));
        if written.0 != self.written.0 {
            self.keepalive.spoke(age);
        }
        if written.1 != self.written.1 {
            self.keepalive.taken(age);
            if !self.extended {
                self.heard = cx.now;
            }
        }
        self.written = written;
    }

    /// What is due by the clock; when to be called again.
    pub(crate) fn poll_timer(&mut self, cx: &mut Context<'_>) -> Result<Duration, Ended> {
        loop {
            let age = self.age(cx);
            self.note_written(cx);
            let until = match self.keepalive.poll(age) {
                KeepaliveAction::GiveUp(_) => return Err(Ended::Silent),
                KeepaliveAction::Ping => {
                    cx.record("pings connection {}", [self.socket.connection, 0]);
                    self.outbox.ping();
                    continue;
                }
                KeepaliveAction::Pong => {
                    cx.record(
                        "says unasked that it lives on connection {}",
                        [self.socket.connection, 0],
                    );
                    self.outbox.pong(&[]);
                    continue;
                }
                KeepaliveAction::WaitUntil(until) => self.started + until,
            };
            // A node that runs late notices the silence late.
            cx.check(
                cx.now < self.heard + DEAD_AFTER && until <= self.heard + DEAD_AFTER + PING_AFTER,
                || {
                    format!(
                        "nothing was heard of {} for too long, and it is not given up",
                        self.peer
                    )
                },
            );
            let Some(since) = self.closing_since else {
                return Ok(until);
            };
            if cx.now >= since + CLOSE_TIMEOUT {
                return Err(Ended::Stuck);
            }
            return Ok(until.min(since + CLOSE_TIMEOUT));
        }
    }

    /// The session is over; the connection may have something to say still.
    pub(crate) fn end(&mut self, ended: Ended, cx: &mut Context<'_>) {
        let what = match ended {
            Ended::Closed => "has closed connection {}",
            Ended::Stuck => "can't close connection {}",
            Ended::Peer => "is told that connection {} closes",
            Ended::Broken => "loses connection {}",
            Ended::Silent => "hears nothing on connection {}",
        };
        cx.record(what, [self.socket.connection, 0]);
        let until = cx.now + CLOSE_TIMEOUT;
        match ended {
            Ended::Closed => {
                cx.network.shut_down(self.socket, cx.now, cx.rng);
                self.state = State::Lingering { until, answers: false };
            }
            Ended::Peer => {
                self.outbox.abandon(CloseFrame::new(CloseCode::GOING_AWAY, ""));
                self.state = State::Lingering { until, answers: true };
            }
            Ended::Stuck | Ended::Broken | Ended::Silent => self.drop_now(cx),
        }
    }

    pub(crate) fn drop_now(&mut self, cx: &mut Context<'_>) {
        cx.network.close(self.socket, cx.now, cx.rng);
        self.state = State::Gone;
        self.outgoing.clear();
        self.incoming.take_all();
    }

    /// After its end: until the peer has seen it, or long enough.
    pub(crate) fn linger(&mut self, cx: &mut Context<'_>) -> Option<Duration> {
        let State::Lingering { until, answers } = self.state else {
            return None;
        };
        let is_said = answers && !matches!(self.outbox.drive(self.socket, cx), Ok(false));
        self.buffer.clear();
        let is_over = loop {
            match cx.network.read(self.socket, &mut self.buffer, READ, cx.now) {
                Read::Bytes(_) => self.buffer.clear(),
                Read::Nothing => break false,
                Read::End | Read::Reset => break true,
            }
        };
        if is_said || is_over || cx.now >= until {
            self.drop_now(cx);
            return None;
        }
        earlier(Some(until), None)
    }
}
