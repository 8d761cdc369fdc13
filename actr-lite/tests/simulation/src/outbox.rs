use std::sync::Arc;

use actr_lite_engine::{
    accounts::PeerAccount,
    connection::Written,
    held_bytes::HeldBytes,
    outbox::{self, Drive, FREE_BYTES, Next, Room, SendRefused, Sent, Urgency, Writing},
};
use actr_lite_quota::Limit;
use actr_lite_wire::{
    control::Control,
    pace::MAX_BATCH,
    record::RecordKind,
    websocket::{CloseCode, CloseFrame, Role},
};
use rand::RngExt as _;

use crate::{
    context::Context,
    handshake::Unsent,
    network::{Broken, Socket},
    waiters::{Ticket, Waiters},
};

/// One of so many senders that write themselves loses the processor before it does: others have a turn meanwhile.
const PREEMPTED: u32 = 8;

/// Why a record is not taken.
pub(crate) type Refused = SendRefused<Limit>;

/// What is to be sent on a connection: the node's own machine, and a shell of one thread around it.
#[derive(Debug)]
pub(crate) struct Outbox {
    machine: outbox::Outbox<HeldBytes>,
    /// What stands before the first message.
    greeting: Unsent,
    /// The longest record so far.
    longest: usize,
    /// The network took less than it was offered the last time.
    was_refused: bool,
    /// What the network has taken.
    pub(crate) written: Written,
    /// It has taken some after it had refused some, since the last look.
    was_relieved: bool,
    /// What a sender was about to write when its thread lost the processor.
    preempted: Option<Writing>,
    /// The driver is to have a turn.
    is_awake: bool,
    /// The driver waits for the network to take more.
    is_blocked: bool,
    /// Senders of bulk data that wait for room.
    waiters: Waiters,
    /// Somebody was woken, and has not had its turn.
    has_woken: bool,
}

/// A masking key, as the schedule draws it.
fn mask(cx: &mut Context<'_>) -> [u8; 4] {
    cx.rng.random::<u32>().to_be_bytes()
}

impl Outbox {
    pub(crate) fn new(role: Role, extended: bool, account: Arc<PeerAccount>) -> Self {
        Self {
            machine: outbox::Outbox::new(role, extended, HeldBytes::new(account, FREE_BYTES)),
            greeting: Unsent::default(),
            longest: 0,
            was_refused: false,
            written: Written::default(),
            was_relieved: false,
            preempted: None,
            is_awake: true,
            is_blocked: false,
            waiters: Waiters::default(),
            has_woken: false,
        }
    }

    /// Takes a record, or says at once why not.
    pub(crate) fn try_send(
        &mut self,
        kind: RecordKind,
        urgency: Urgency,
        head: &[u8],
        body: &[u8],
        socket: Socket,
        cx: &mut Context<'_>,
    ) -> Result<(), Refused> {
        let len = head.len() + body.len();
        let next = loop {
            match self.machine.send(kind, urgency, head, body, || mask(cx))? {
                Sent::Taken(next) => break next,
                Sent::After(writing) => self.write_all(Next::Write(writing), socket, cx),
            }
        };
        match next {
            Next::Write(writing) if cx.rng.random_ratio(1, PREEMPTED) => {
                self.preempted = Some(writing);
                self.has_woken = true;
                self.notice();
            }
            next => self.write_all(next, socket, cx),
        }
        self.longest = self.longest.max(len);
        let waiting = self.machine.waiting();
        // Calls may wait beside bulk data, and control records beside both.
        let bound = 4 * MAX_BATCH + self.longest;
        cx.check(waiting <= bound, || {
            format!("the outbox holds {waiting} bytes, more than {bound}")
        });
        Ok(())
    }

    pub(crate) fn send_control(&mut self, control: &Control, socket: Socket, cx: &mut Context<'_>) {
        match self.machine.push_control(control, || mask(cx)) {
            Ok(next) => self.write_all(next, socket, cx),
            Err(_) => self.overwhelmed(),
        }
    }

    /// The peer makes this node say more than it reads.
    pub(crate) fn overwhelmed(&mut self) {
        let reason = "the peer asks for more than it reads";
        self.close(CloseFrame::new(CloseCode::POLICY_VIOLATION, reason));
    }

    /// Bytes that stand before the first message.
    pub(crate) fn send_raw(&mut self, bytes: &[u8]) {
        self.greeting.push(bytes);
    }

    pub(crate) fn ping(&mut self) {
        self.machine.ping();
        self.notice();
    }

    pub(crate) fn pong(&mut self, payload: &[u8]) {
        self.machine.pong(payload);
        self.notice();
    }

    /// A sender that lost the processor goes on.
    pub(crate) fn resume(&mut self, socket: Socket, cx: &mut Context<'_>) {
        if let Some(writing) = self.preempted.take() {
            self.write_all(Next::Write(writing), socket, cx);
        }
    }

    /// Writes what a sender has to write itself.
    fn write_all(&mut self, mut next: Next, socket: Socket, cx: &mut Context<'_>) {
        while let Next::Write(writing) = next {
            // An error is met by the one who reads the same connection.
            let taken = self.write(writing.bytes(), socket, cx).unwrap_or(0);
            let now = cx.now;
            next = self.machine.wrote(writing, taken, false, now, || mask(cx));
        }
        self.notice();
    }

    fn write(&mut self, bytes: &[u8], socket: Socket, cx: &mut Context<'_>) -> Result<usize, Broken> {
        self.greeting.flush(socket, cx)?;
        let taken = match self.greeting.is_empty() {
            true => cx.network.write(socket, bytes, cx.now, cx.rng)?,
            false => 0,
        };
        self.written.bytes += taken as u64;
        if std::mem::replace(&mut self.was_refused, taken < bytes.len()) {
            self.written.relieved += taken as u64;
            self.was_relieved |= taken > 0;
        }
        Ok(taken)
    }

    /// Wakes whom the machine names.
    fn notice(&mut self) {
        let notices = self.machine.take_notices();
        self.is_awake |= notices.driver;
        self.has_woken |= notices.driver;
        self.has_woken |= match notices.room {
            Room::Nobody => false,
            Room::One => self.waiters.tell_one(),
            Room::Everyone => self.waiters.tell_all(),
        };
    }

    /// The driver's turn, if it has one: writes until there is nothing more or the connection takes no more. True: the
    /// close frame went out.
    pub(crate) fn drive(&mut self, socket: Socket, cx: &mut Context<'_>) -> Result<bool, Broken> {
        self.greeting.flush(socket, cx)?;
        if !std::mem::take(&mut self.is_awake) && !self.is_blocked {
            return Ok(false);
        }
        self.is_blocked = false;
        let mut written = 0;
        let is_closed = loop {
            let writing = match self.machine.drive(written, || mask(cx)) {
                Drive::Write(writing) => writing,
                // Nobody else has a turn in this thread.
                Drive::More => {
                    written = 0;
                    continue;
                }
                Drive::Idle | Drive::Busy => break false,
                Drive::Closed => break true,
            };
            let taken = self.write(writing.bytes(), socket, cx)?;
            written += taken;
            self.is_blocked = taken < writing.bytes().len();
            self.machine.drove(writing, taken, cx.now);
            if self.is_blocked {
                break false;
            }
        };
        self.notice();
        Ok(is_closed)
    }

    /// Whether somebody was woken, since the last call: then there may be more to do.
    pub(crate) fn take_woken(&mut self) -> bool {
        std::mem::take(&mut self.has_woken)
    }

    /// Waits for room, as a sender that was refused.
    pub(crate) fn wait(&mut self) -> Ticket {
        self.waiters.wait()
    }

    /// Whether who waits was told of room.
    pub(crate) fn is_told(&self, ticket: Ticket) -> bool {
        self.waiters.is_told(ticket)
    }

    /// Who was told in vain waits anew, with another ticket.
    pub(crate) fn forget(&mut self, ticket: Ticket) {
        self.waiters.forget(ticket);
    }

    /// Whoever has waited is done: the next one is told.
    pub(crate) fn pass_on(&mut self, ticket: Ticket) {
        self.waiters.forget(ticket);
        self.has_woken |= self.waiters.tell_one();
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.machine.is_drained() && self.greeting.is_empty()
    }

    /// How many bytes of records have left, about.
    pub(crate) fn sent(&self) -> u64 {
        self.machine.given_out()
    }

    /// How many bytes wait to be sent.
    pub(crate) fn waiting(&self) -> usize {
        self.machine.waiting()
    }

    /// Why this side closes, as its driver learns it.
    pub(crate) fn closing(&mut self) -> Option<CloseFrame> {
        self.machine.closing().cloned()
    }

    /// Whether the network has taken some after it had refused some, since the last call.
    pub(crate) fn take_relieved(&mut self) -> bool {
        std::mem::take(&mut self.was_relieved)
    }

    pub(crate) fn close(&mut self, frame: CloseFrame) {
        self.machine.close(frame);
        self.notice();
    }

    /// Drops what nobody will read, and lets only the close frame follow.
    pub(crate) fn abandon(&mut self, frame: CloseFrame) {
        self.machine.abandon(frame);
        self.notice();
    }
}
