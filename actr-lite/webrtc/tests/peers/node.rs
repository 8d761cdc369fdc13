//! A peer, what it sends, and what it was told.

use std::{
    mem,
    net::SocketAddr,
    time::{Duration, Instant},
};

use actr_lite_engine::memory::Memory;
use actr_lite_webrtc::{
    channel::Channel,
    outgoing::{Batch, Outgoing},
    peer::{Certificate, Datagram, Event, Local, Peer, Setup},
    signal::Signal,
};
use actr_lite_wire::{
    partial_record::PartialRecord,
    record::{self, RecordKind},
    record_queue::Precedence,
    websocket::{CloseCode, CloseFrame},
};
use bytes::Bytes;

pub(crate) const MAX_RECORD_LEN: usize = 1 << 20;

/// Counts nothing.
#[derive(Debug)]
pub(crate) struct Unlimited;

impl Memory for Unlimited {
    type Limit = ();

    fn cover(&mut self, _: usize) -> Result<(), ()> {
        Ok(())
    }

    fn shrink(&mut self, _: usize) {}
}

/// Which kind of nodes they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Both are of this project.
    Own,
    /// Neither sees anything of the other that an official node does not say.
    Official,
}

pub(crate) const KINDS: [Kind; 2] = [Kind::Own, Kind::Official];

/// One of the two, and what it was told.
pub(crate) struct Node {
    kind: Kind,
    pub(crate) peer: Peer<Unlimited>,
    pub(crate) outgoing: Outgoing<Unlimited>,
    sending: [(Precedence, Option<Batch>); 2],
    pub(crate) events: Vec<Event>,
    partial: PartialRecord,
    records: Vec<Vec<u8>>,
    pub(crate) address: SocketAddr,
    /// The last connectivity check that it has sent.
    pub(crate) checked: Option<Datagram>,
    /// Whether it has sent anything.
    pub(crate) has_sent: bool,
    /// Whether it takes the records that come.
    pub(crate) takes: bool,
    /// Counts its starts.
    pub(crate) life: u64,
}

impl Node {
    pub(crate) fn new(
        kind: Kind,
        (number, life): (usize, u64),
        local: impl Into<Local>,
        epoch: Instant,
        certificate: Certificate,
    ) -> Self {
        let mut peer = Peer::new(Setup {
            certificate,
            epoch,
            is_first: number == 0,
            seed: life << 8 | number as u64,
            max_record_len: MAX_RECORD_LEN,
            memory: Box::new(|| Unlimited),
        });
        let local = local.into();
        peer.add_local(local);
        let (outgoing, sending) = nothing_to_send(kind);
        Self {
            kind,
            peer,
            outgoing,
            sending,
            events: Vec::new(),
            partial: PartialRecord::default(),
            records: Vec::new(),
            address: local.address(),
            checked: None,
            has_sent: false,
            takes: true,
            life,
        }
    }

    /// Hands messages to the session as long as it takes some. Whether it took any.
    pub(crate) fn write(&mut self, now: Duration) -> bool {
        let mut has_written = false;
        for (precedence, sending) in &mut self.sending {
            loop {
                if sending.is_none() {
                    *sending = self.outgoing.take(*precedence);
                }
                let Some(batch) = sending else { break };
                while let Some((channel, message)) = batch.next() {
                    if !self.peer.write(channel, message, now) {
                        return has_written;
                    }
                    has_written = true;
                    batch.advance();
                }
                if let Some(batch) = sending.take() {
                    self.outgoing.left(batch);
                }
            }
        }
        has_written
    }

    pub(crate) fn note(&mut self, event: Event) {
        match &event {
            // Nothing of an earlier session is sent over this one, or comes over it.
            Event::Ready(_) => {
                (self.outgoing, self.sending) = nothing_to_send(self.kind);
                self.partial = PartialRecord::default();
            }
            Event::Record(message) => {
                let mut records = mem::take(&mut self.records);
                read(message, &mut self.partial, &mut |_, body| records.push(body));
                self.records = records;
            }
            _ => {}
        }
        self.events.push(event);
    }

    /// How many messages brought the records that have come.
    pub(crate) fn messages(&self) -> usize {
        let is_message = |event: &&Event| matches!(event, Event::Record(_));
        self.events.iter().filter(is_message).count()
    }

    /// The bodies of the records that have come.
    pub(crate) fn records(&self) -> &[Vec<u8>] {
        &self.records
    }

    pub(crate) fn has(&self, event: &Event) -> bool {
        self.events.contains(event)
    }

    /// How its last session ended.
    pub(crate) fn ended(&self) -> Option<&str> {
        self.events.iter().rev().find_map(|event| match event {
            Event::Ended(reason) | Event::Failed(reason) => Some(reason.as_str()),
            Event::Closed(frame) => Some(frame.reason()),
            _ => None,
        })
    }
}

pub(crate) fn stream() -> RecordKind {
    Channel::StreamReliable.kind()
}

/// Why tests close a session.
pub(crate) fn enough() -> CloseFrame {
    CloseFrame::new(CloseCode::NORMAL, "enough")
}

/// What an official node would make of a signal.
pub(crate) fn official(signal: &Signal) -> Signal {
    let mut signal = signal.clone();
    if let Signal::Offer(description) | Signal::Answer(description) = &mut signal {
        let lines = description.sdp.split_inclusive("\r\n");
        description.sdp = lines.filter(|line| !line.contains(record::EXTENSION)).collect();
    }
    signal
}

fn nothing_to_send(kind: Kind) -> (Outgoing<Unlimited>, [(Precedence, Option<Batch>); 2]) {
    let sending = [(Precedence::Ahead, None), (Precedence::Bulk, None)];
    (Outgoing::new(kind == Kind::Own, Unlimited), sending)
}

/// The records of a message, those in parts too.
pub(crate) fn read(message: &Bytes, partial: &mut PartialRecord, came: &mut impl FnMut(RecordKind, Vec<u8>)) {
    for span in record::spans(message) {
        let span = span.unwrap();
        let body = message.slice(span.body_start()..span.end);
        if span.kind != RecordKind::Part {
            came(span.kind, body.to_vec());
        } else if let Some(whole) = partial.push(&body, MAX_RECORD_LEN).unwrap() {
            read(&whole, partial, came);
        }
    }
}
