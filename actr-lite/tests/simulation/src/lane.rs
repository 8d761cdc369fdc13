use std::{
    hash::{BuildHasherDefault, DefaultHasher},
    sync::Arc,
    time::Duration,
};

use actr_lite_engine::{
    accounts::{Admission, PeerAccount},
    begun::Partial,
    connection::{CLOSE_TIMEOUT, Connection, Due, End, Goodbye, Incoming, SMALL_READ, max_message_len},
    held_bytes::HeldBytes,
    incoming::IncomingStreams,
    memory::Memory as _,
    message_reader::MessageReader,
    peers::pool::Place,
    served_calls::ServedCalls,
    usage::Usage,
};
use actr_lite_manifest::Limits;
use actr_lite_quota::Quota;
use actr_lite_wire::{
    control::Control,
    identity::{ActrId, StreamId},
    keepalive::{DEAD_AFTER, PING_AFTER},
    record::DEFAULT_MAX_RECORD_LEN,
    websocket::{CloseCode, CloseFrame, Role},
};
use bytes::{Bytes, BytesMut};

use crate::{
    context::Context,
    handshake::READ,
    network::{Read, Socket},
    outbox::Outbox,
    outgoing::Outgoing,
    routes::ROGUE,
};

#[derive(Debug)]
enum State {
    Open,
    /// The session is over; what is to be said last goes out, and the peer's end is waited for.
    Lingering {
        until: Duration,
        goodbye: Goodbye,
    },
    Gone,
}

/// A connection that has become a data lane.
#[derive(Debug)]
pub(crate) struct Upgraded {
    pub(crate) socket: Socket,
    pub(crate) peer: ActrId,
    pub(crate) role: Role,
    pub(crate) extended: bool,
    pub(crate) admission: Admission,
    /// What was read behind the answer to the upgrade.
    pub(crate) leftover: BytesMut,
}

/// One end of a data lane connection: the node's own machines, and what its session knows of streams.
#[derive(Debug)]
pub(crate) struct Lane {
    pub(crate) socket: Socket,
    pub(crate) peer: ActrId,
    pub(crate) place: Place,
    pub(crate) admission: Admission,
    pub(crate) extended: bool,
    pub(crate) outbox: Outbox,
    connection: Connection<HeldBytes>,
    started: Duration,
    /// Gone while it reads.
    pub(crate) reader: Option<MessageReader<()>>,
    state: State,
    /// Whose inbox is full, with a sender that knows no credit.
    pub(crate) full: Option<StreamId>,
    pub(crate) outgoing: Vec<Outgoing>,
    pub(crate) incoming: IncomingStreams<()>,
    pub(crate) growth: Arc<Quota>,
    /// For what has come of a record in parts.
    pub(crate) partial_held: HeldBytes,
    /// For the names of streams that are remembered as unwanted.
    pub(crate) names_held: HeldBytes,
    pub(crate) usage: Usage,
    /// When it is looked whether anybody uses it.
    pub(crate) look_at: Duration,
    /// Beside its usage: when it was last seen in use.
    pub(crate) used_at: Duration,
    /// It is retired, and closed at this time: its thread has lost the processor in between.
    pub(crate) close_at: Option<Duration>,
    /// Beside its usage: how much waited to be sent when it was last looked.
    pub(crate) unsent: usize,
    /// Beside its usage: it was closed because nobody uses it.
    pub(crate) is_retired: bool,
    pub(crate) served: ServedCalls<(), BuildHasherDefault<DefaultHasher>>,
    /// The peer has answered a call.
    pub(crate) has_answered: bool,
    /// It reads nothing any more, against the protocol.
    pub(crate) is_deaf: bool,
    /// For the check that silence is noticed: when something came last, and when the lane last had its turn.
    heard: Duration,
}

impl Lane {
    pub(crate) fn new(upgraded: Upgraded, place: Place, idle_timeout: Duration, cx: &mut Context<'_>) -> Self {
        let Upgraded {
            socket,
            peer,
            role,
            extended,
            admission,
            leftover,
        } = upgraded;
        let account = admission.account();
        Self {
            socket,
            peer,
            place,
            extended,
            outbox: Outbox::new(role, extended, Arc::clone(account)),
            connection: Connection::new(
                role,
                extended,
                max_message_len(DEFAULT_MAX_RECORD_LEN, extended),
                Limits::default().stall_timeout.duration(),
                leftover,
                HeldBytes::new(Arc::clone(account), SMALL_READ),
            ),
            started: cx.now,
            reader: Some(MessageReader::new(extended, DEFAULT_MAX_RECORD_LEN)),
            state: State::Open,
            full: None,
            outgoing: Vec::new(),
            incoming: IncomingStreams::new(cx.now),
            growth: account.growth_of_a_connection(),
            partial_held: HeldBytes::new(Arc::clone(account), 0),
            names_held: HeldBytes::new(Arc::clone(account), 0),
            usage: Usage::new(cx.now),
            look_at: cx.now + idle_timeout,
            used_at: cx.now,
            close_at: None,
            unsent: 0,
            is_retired: false,
            served: ServedCalls::new(extended, BuildHasherDefault::default()),
            has_answered: false,
            is_deaf: false,
            heard: cx.now,
            admission,
        }
    }

    /// What the peer makes this node hold, with its other connections.
    pub(crate) fn account(&self) -> &Arc<PeerAccount> {
        self.admission.account()
    }

    pub(crate) fn is_open(&self) -> bool {
        matches!(self.state, State::Open)
    }

    /// Whether it takes calls.
    pub(crate) fn is_usable(&self) -> bool {
        self.is_open() && !self.usage.is_retired()
    }

    /// One more uses it, which takes it.
    pub(crate) fn enter(&mut self, cx: &mut Context<'_>) {
        let is_open = self.usage.enter();
        cx.check(is_open, || "a connection is used that is closed as unused".into());
        self.used_at = cx.now;
    }

    /// One that uses it brings another.
    pub(crate) fn join(&mut self, cx: &Context<'_>) {
        self.usage.join();
        self.used_at = cx.now;
    }

    /// One that used it is done.
    pub(crate) fn leave(&mut self, cx: &Context<'_>) {
        self.usage.leave(cx.now);
        self.used_at = cx.now;
    }

    /// How much has come of a record in parts that is not whole yet.
    pub(crate) fn partial_len(&self) -> usize {
        self.reader.as_ref().map_or(0, MessageReader::partial_len)
    }

    pub(crate) fn is_gone(&self) -> bool {
        matches!(self.state, State::Gone)
    }

    pub(crate) fn send_control(&mut self, control: &Control, cx: &mut Context<'_>) {
        self.outbox.send_control(control, self.socket, cx);
    }

    pub(crate) fn close(&mut self) {
        self.outbox
            .close(CloseFrame::new(CloseCode::GOING_AWAY, "the node is shutting down"));
    }

    /// The peer makes this node say more than it reads.
    pub(crate) fn overwhelmed(&mut self) {
        self.outbox.overwhelmed();
    }

    /// Whether the peer may do whatever it likes.
    pub(crate) fn is_of_rogue(&self) -> bool {
        self.peer.actr_type().name() == ROGUE
    }

    /// What the peer makes this node hold here, of what can be seen from outside.
    pub(crate) fn held(&self) -> usize {
        self.outbox.waiting() + self.partial_len() + self.incoming.unwanted_cost()
    }

    /// Frames of this stream have to be dropped; false if that is known already.
    pub(crate) fn refuse_incoming(&mut self, stream_id: StreamId) -> bool {
        let held = &mut self.names_held;
        let is_new = self.incoming.refuse(stream_id, |total| held.cover(total).is_ok());
        held.shrink(self.incoming.unwanted_cost());
        is_new
    }

    /// This node wants no more of a stream; false if the connection does not feed it.
    pub(crate) fn cancel_incoming(&mut self, stream_id: &StreamId, cx: &Context<'_>) -> bool {
        let held = &mut self.names_held;
        let was_bound = self
            .incoming
            .cancel(stream_id, cx.now, |total| held.cover(total).is_ok());
        held.shrink(self.incoming.unwanted_cost());
        was_bound
    }

    fn age(&self, cx: &Context<'_>) -> Duration {
        cx.now - self.started
    }

    /// A receiver without room stops the reading; then the peer's silence means nothing.
    pub(crate) fn is_not_read(&mut self, cx: &mut Context<'_>) {
        self.connection.is_not_read(self.age(cx));
        self.heard = cx.now;
    }

    /// A sender that lost the processor before it wrote goes on.
    pub(crate) fn resume(&mut self, cx: &mut Context<'_>) {
        self.outbox.resume(self.socket, cx);
    }

    /// Writes what the connection takes.
    pub(crate) fn write(&mut self, cx: &mut Context<'_>) -> Result<(), End> {
        let age = self.age(cx);
        self.connection.look_at_close(|| self.outbox.closing(), age)?;
        match self.outbox.drive(self.socket, cx) {
            Ok(true) => Err(self.connection.closed(|| self.outbox.closing())),
            Ok(false) => Ok(()),
            Err(_) => Err(End::Broken("the connection is gone".into())),
        }
    }

    /// The next message; none now.
    pub(crate) fn read(&mut self, cx: &mut Context<'_>) -> Result<Option<Bytes>, End> {
        let age = self.age(cx);
        loop {
            if let Some(buffer) = self.connection.buffer()? {
                let room = buffer.capacity() - buffer.len();
                match cx.network.read(self.socket, buffer, room, cx.now) {
                    Read::Bytes(len) => {
                        self.connection.has_read(len, len == room, age)?;
                        self.heard = cx.now;
                    }
                    Read::Nothing => {
                        self.connection.found_nothing();
                        return Ok(None);
                    }
                    Read::End => self.connection.has_read(0, false, age)?,
                    Read::Reset => return Err(End::Broken("the network reset it".into())),
                }
            }
            match self.connection.incoming()? {
                Incoming::Message(message) => return Ok(Some(message)),
                Incoming::Ping(payload) => self.outbox.pong(&payload),
                Incoming::Later => self.connection.begin_turn(),
                Incoming::Nothing => {
                    let partial = Partial {
                        len: self.partial_len(),
                        whole_records: self.reader.as_ref().map_or(0, MessageReader::whole_records),
                    };
                    self.connection.caught_up(partial, age);
                }
            }
        }
    }

    /// What is due by the clock; when to be called again.
    pub(crate) fn poll_timer(&mut self, cx: &mut Context<'_>) -> Result<Duration, End> {
        if !self.extended && self.outbox.take_relieved() {
            self.heard = cx.now;
        }
        let age = self.age(cx);
        let until = loop {
            match self.connection.due(self.outbox.written, age)? {
                Due::Ping => {
                    cx.record("pings connection {}", [self.socket.connection, 0]);
                    self.outbox.ping();
                }
                Due::Pong => {
                    cx.record(
                        "says unasked that it lives on connection {}",
                        [self.socket.connection, 0],
                    );
                    self.outbox.pong(&[]);
                }
                Due::At(until) => break self.started + until,
            }
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
        Ok(until)
    }

    /// The session is over; the connection may have something to say still.
    pub(crate) fn end(&mut self, end: &End, cx: &mut Context<'_>) {
        let what = match end {
            End::Closed(_) => "has closed connection {}",
            End::Stuck(_) => "can't close connection {}",
            End::Peer(_) => "is told that connection {} closes",
            End::Broken(_) => "loses connection {}",
            End::Silent(_) => "hears nothing on connection {}",
            End::Protocol(_, error) => {
                cx.check(self.is_of_rogue(), || {
                    format!("{} broke the protocol: {error}", self.peer)
                });
                "ends connection {} with who breaks the protocol"
            }
        };
        cx.record(what, [self.socket.connection, 0]);
        let Some(goodbye) = end.goodbye() else {
            return self.drop_now(cx);
        };
        match &goodbye.answer {
            Some(frame) => self.outbox.abandon(frame.clone()),
            None => cx.network.shut_down(self.socket, cx.now, cx.rng),
        }
        let until = cx.now + CLOSE_TIMEOUT;
        self.state = State::Lingering { until, goodbye };
    }

    pub(crate) fn drop_now(&mut self, cx: &mut Context<'_>) {
        cx.network.close(self.socket, cx.now, cx.rng);
        self.state = State::Gone;
        self.outgoing.clear();
        self.incoming.take_all();
    }

    /// After its end: until all is said and the peer has seen it, or long enough.
    pub(crate) fn linger(&mut self, cx: &mut Context<'_>) -> Option<Duration> {
        let State::Lingering { until, goodbye } = &mut self.state else {
            return None;
        };
        let until = *until;
        let mut is_over = cx.now >= until;
        if goodbye.answer.is_some() {
            let is_said = !matches!(self.outbox.drive(self.socket, cx), Ok(false));
            if is_said && goodbye.waits_for_peer {
                goodbye.answer = None;
                cx.network.shut_down(self.socket, cx.now, cx.rng);
            } else {
                is_over |= is_said;
            }
        }
        let mut discarded = BytesMut::new();
        is_over |= loop {
            match cx.network.read(self.socket, &mut discarded, READ, cx.now) {
                Read::Bytes(_) => discarded.clear(),
                Read::Nothing => break false,
                Read::End | Read::Reset => break true,
            }
        };
        if is_over {
            self.drop_now(cx);
            return None;
        }
        Some(until)
    }
}
