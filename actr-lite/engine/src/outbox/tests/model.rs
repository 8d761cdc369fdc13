//! The machine beside a naive model: lists of what was taken, and a socket that takes what chance lets it take.

use actr_lite_wire::{
    pace::MAX_BATCH,
    partial_record::PartialRecord,
    record,
    record_queue::Precedence,
    websocket::{CloseCode, Decoder, Event},
};
use bytes::BytesMut;
use proptest::{prelude::*, test_runner::TestCaseError};

use super::{
    LONGEST, MASK,
    steps::{Step, steps},
};
use crate::{memory::Budget, outbox::*};

/// Records in order: those that leave ahead of bulk data, and bulk data.
type Precedences = [Vec<Digest>; 2];

/// What tells one record from another: its kind, its length, and a sum of its bytes and their places.
type Digest = (RecordKind, usize, u64);

fn digest(kind: RecordKind, body: &[u8]) -> Digest {
    let add = |sum: u64, byte: &u8| sum.wrapping_mul(31).wrapping_add(u64::from(*byte));
    (kind, body.len(), body.iter().fold(0, add))
}

/// Who has bytes to write.
#[derive(Debug)]
enum Writer {
    /// A sender, which has a record to be pushed when there is room.
    Sender(Writing, Option<Record>),
    Driver(Writing),
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Record {
    kind: RecordKind,
    urgency: Urgency,
    body: Vec<u8>,
}

impl Record {
    fn precedence(&self) -> usize {
        usize::from(Precedence::of(self.kind, self.body.len()) == Precedence::Bulk)
    }
}

/// The outbox, its shell, and what is expected of them.
struct Shell {
    outbox: Outbox<Budget>,
    extended: bool,
    now: Duration,
    writer: Option<Writer>,
    /// The driver is to have its turn.
    driver_is_awake: bool,
    /// The driver waits for the socket to take more.
    is_blocked: bool,
    written_in_turn: usize,
    /// What the socket took.
    wire: BytesMut,
    /// What was taken of each precedence.
    taken: Precedences,
    /// Somebody was refused and not told of room since.
    waits: bool,
    is_closing: bool,
    is_abandoned: bool,
    has_ended: bool,
    is_closed: bool,
    number: u32,
}

impl Shell {
    fn new(extended: bool, limit: usize) -> Self {
        Self {
            outbox: Outbox::new(Role::Client, extended, Budget { limit, counted: 0 }),
            extended,
            now: Duration::ZERO,
            writer: None,
            driver_is_awake: true,
            is_blocked: false,
            written_in_turn: 0,
            wire: BytesMut::new(),
            taken: Default::default(),
            waits: false,
            is_closing: false,
            is_abandoned: false,
            has_ended: false,
            is_closed: false,
            number: 0,
        }
    }

    fn notice(&mut self) {
        let notices = self.outbox.take_notices();
        if notices.driver {
            self.driver_is_awake = true;
        }
        if notices.room != Room::Nobody {
            self.waits = false;
        }
        assert!(!self.has_ended || !notices.driver, "the driver is gone");
    }

    fn body(&mut self, len: usize) -> Vec<u8> {
        self.number += 1;
        let mut body = vec![self.number as u8; len];
        let number = self.number.to_be_bytes();
        let marked = number.len().min(len);
        body[..marked].copy_from_slice(&number[..marked]);
        body
    }

    fn send(&mut self, record: Record) -> Result<(), TestCaseError> {
        let waiting = self.outbox.waiting();
        let (head, body) = record.body.split_at(record.body.len() / 3);
        let sent = self.outbox.send(record.kind, record.urgency, head, body, MASK);
        let is_over = self.is_closing || self.has_ended;
        prop_assert_eq!(is_over, sent == Err(SendRefused::Closed));
        match sent {
            Ok(Sent::After(writing)) => self.begin(Writer::Sender(writing, Some(record)))?,
            Ok(Sent::Taken(next)) => {
                prop_assert!(waiting + record.body.len() <= self.outbox.memory.counted);
                self.taken[record.precedence()].push(digest(record.kind, &record.body));
                self.go_on(next)?;
            }
            Err(SendRefused::Full) => {
                prop_assert!(waiting > 0 || self.writer.is_some());
                self.waits = true;
            }
            Err(SendRefused::OverShare(limit)) => {
                prop_assert!(waiting + record.body.len() > limit);
                prop_assert!(waiting == 0 && self.writer.is_none(), "it may wait");
            }
            Err(SendRefused::Closed) => {}
        }
        Ok(())
    }

    fn go_on(&mut self, next: Next) -> Result<(), TestCaseError> {
        match next {
            Next::Write(writing) => self.begin(Writer::Sender(writing, None)),
            Next::Done(Accepted::BatchWritten) => {
                prop_assert!(self.outbox.is_drained());
                Ok(())
            }
            Next::Done(Accepted::Queued) => Ok(()),
        }
    }

    fn begin(&mut self, writer: Writer) -> Result<(), TestCaseError> {
        prop_assert!(self.writer.is_none(), "two write at once");
        self.writer = Some(writer);
        Ok(())
    }

    /// The socket takes a part of what is offered.
    fn take(&mut self, writing: &Writing, part: u8) -> usize {
        let offered = writing.bytes().len();
        let taken = offered * usize::from(part) / 255;
        if !self.has_ended {
            self.wire.extend_from_slice(&writing.bytes()[..taken]);
        }
        self.now += Duration::from_millis(7);
        taken
    }

    fn written(&mut self, part: u8) -> Result<(), TestCaseError> {
        match self.writer.take() {
            None => {}
            Some(Writer::Sender(writing, record)) => {
                let taken = self.take(&writing, part);
                let next = self.outbox.wrote(writing, taken, false, self.now, MASK);
                match record {
                    None => self.go_on(next)?,
                    Some(record) => {
                        prop_assert_eq!(next, Next::Done(Accepted::Queued));
                        self.send(record)?;
                    }
                }
            }
            Some(Writer::Driver(writing)) => {
                let taken = self.take(&writing, part);
                self.written_in_turn += taken;
                self.is_blocked = taken < writing.bytes().len();
                self.outbox.drove(writing, taken, self.now);
                self.driver_is_awake = !self.is_blocked;
            }
        }
        Ok(())
    }

    fn drive(&mut self) -> Result<(), TestCaseError> {
        if !self.driver_is_awake || self.has_ended || matches!(self.writer, Some(Writer::Driver(_))) {
            return Ok(());
        }
        self.outbox.closing();
        match self.outbox.drive(self.written_in_turn, MASK) {
            Drive::Write(writing) => {
                prop_assert!(!self.is_closed, "something follows the close frame");
                prop_assert!(
                    self.written_in_turn <= MAX_WRITTEN_AT_ONCE + 2 * MAX_BATCH,
                    "a turn has an end"
                );
                return self.begin(Writer::Driver(writing));
            }
            Drive::More => {
                prop_assert!(self.written_in_turn > 0);
                self.written_in_turn = 0;
                return Ok(());
            }
            Drive::Idle => prop_assert!(self.outbox.is_drained() && self.outbox.memory.counted == 0),
            Drive::Busy => prop_assert!(self.writer.is_some()),
            Drive::Closed => {
                prop_assert!(self.is_closing || self.is_abandoned);
                self.is_closed = true;
            }
        }
        self.driver_is_awake = false;
        self.written_in_turn = 0;
        Ok(())
    }

    fn step(&mut self, step: Step) -> Result<(), TestCaseError> {
        match step {
            // A test's sender writes in one thread: what it sends while it writes comes from others.
            Step::Send { is_call, urgency, len } => {
                let kind = if is_call {
                    RecordKind::RpcReliable
                } else {
                    RecordKind::StreamReliable
                };
                let body = self.body(len);
                self.send(Record { kind, urgency, body })?;
            }
            Step::Control => {
                let control = Control::Leaving;
                let is_taken = self.extended && !self.is_closing && !self.has_ended;
                if let Ok(next) = self.outbox.push_control(&control, MASK) {
                    if is_taken {
                        let (kind, body) = control.encode();
                        self.taken[0].push(digest(kind, &body));
                    }
                    self.go_on(next)?;
                } else {
                    prop_assert!(self.outbox.held() + MAX_CONTROL_LEN > self.outbox.memory.limit);
                }
            }
            Step::Written { part } => self.written(part)?,
            Step::Driver => self.drive()?,
            Step::Ping => self.outbox.ping(),
            Step::Pong => self.outbox.pong(b"answer"),
            Step::Flush => {
                let next = self.outbox.flush(MASK);
                self.go_on(next)?;
            }
            Step::Close => {
                self.is_closing = true;
                self.outbox.close(CloseFrame::new(CloseCode::GOING_AWAY, "over"));
            }
            Step::Abandon => {
                (self.is_closing, self.is_abandoned) = (true, true);
                self.outbox.abandon(CloseFrame::new(CloseCode::GOING_AWAY, "over"));
            }
            Step::End => {
                self.has_ended = true;
                self.outbox.end();
                prop_assert_eq!(self.outbox.waiting(), 0);
            }
        }
        self.notice();
        Ok(())
    }

    /// Lets everything come to rest: whoever is woken has its turn, and the socket takes all.
    fn rest(&mut self) -> Result<(), TestCaseError> {
        self.run()?;
        // What was to wait for others has waited long enough.
        self.step(Step::Flush)?;
        self.run()
    }

    fn run(&mut self) -> Result<(), TestCaseError> {
        for _ in 0..10_000 {
            if self.writer.is_some() {
                self.step(Step::Written { part: 255 })?;
            } else if self.is_blocked && !self.has_ended {
                (self.is_blocked, self.driver_is_awake) = (false, true);
            } else if self.driver_is_awake && !self.has_ended {
                self.step(Step::Driver)?;
            } else {
                return Ok(());
            }
        }
        Err(TestCaseError::fail("it does not come to rest"))
    }

    /// What the peer gets: records by precedence, and whether the close frame was the last.
    fn received(&mut self) -> Result<(Precedences, bool), TestCaseError> {
        let mut decoder = Decoder::new(Role::Server, 2 * LONGEST);
        let mut partial = PartialRecord::default();
        let (mut received, mut is_closed) = (Precedences::default(), false);
        let mut note = |record: &[u8]| {
            let span = record::span_at(record, 0).unwrap();
            let body = &record[span.body_start()..span.end];
            let at = usize::from(Precedence::of(span.kind, body.len()) == Precedence::Bulk);
            received[at].push(digest(span.kind, body));
        };
        while let Some(event) = decoder.decode(&mut self.wire).unwrap() {
            prop_assert!(!is_closed, "something follows the close frame");
            let Event::Binary(message) = event else {
                is_closed = matches!(event, Event::Close(_));
                continue;
            };
            let mut spans = 0;
            for span in record::spans(&message) {
                let span = span.unwrap();
                spans += 1;
                if span.kind == RecordKind::Part {
                    if let Some(record) = partial.push(&message[span.body_start()..span.end], LONGEST).unwrap() {
                        note(&record);
                    }
                } else {
                    note(&message[span.start..span.end]);
                }
            }
            prop_assert!(
                self.extended || spans == 1,
                "a peer without the extension gets one record in a message"
            );
        }
        prop_assert!(self.has_ended || self.wire.is_empty(), "half a frame");
        Ok((received, is_closed))
    }
}

proptest! {
    #[test]
    fn what_is_taken_leaves_once_and_in_order(
        steps in steps(),
        extended in any::<bool>(),
        limit in prop_oneof![Just(100 * LONGEST), 2_000..200_000usize],
    ) {
        let mut shell = Shell::new(extended, limit);
        for step in steps {
            shell.step(step)?;
        }
        shell.rest()?;
        prop_assert!(!shell.waits, "a sender waits for room that there is");
        let (received, is_closed) = shell.received()?;
        prop_assert_eq!(is_closed, shell.is_closing && !shell.has_ended);
        prop_assert_eq!(shell.is_closed, is_closed);
        for (received, taken) in received.iter().zip(&shell.taken) {
            if shell.is_abandoned || shell.has_ended {
                prop_assert!(taken.starts_with(received));
            } else {
                prop_assert_eq!(received, taken);
            }
        }
        if !shell.has_ended {
            prop_assert_eq!(shell.outbox.waiting(), 0);
            prop_assert!(shell.is_closed || shell.outbox.queue.is_empty(), "a ping or pong waits");
        }
    }
}
