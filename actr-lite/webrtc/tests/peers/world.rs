//! Two peers, a registry and a network, all in memory and on one clock.

use std::{
    collections::VecDeque,
    net::SocketAddr,
    time::{Duration, Instant},
};

use actr_lite_engine::memory::Memory;
use actr_lite_webrtc::{
    channel::Channel,
    outgoing::{Batch, Outgoing},
    peer::{Certificate, Datagram, Event, Output, Peer, Setup},
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

/// How long the registry takes to pass something on.
const SIGNAL_DELAY: Duration = Duration::from_millis(3);

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

/// What the network does to datagrams.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Path {
    pub(crate) delay: Duration,
    /// Added to the delay, at most.
    pub(crate) jitter: Duration,
    /// Of a thousand.
    pub(crate) lost: u64,
}

pub(crate) const GOOD: Path = Path {
    delay: Duration::from_millis(1),
    jitter: Duration::ZERO,
    lost: 0,
};

pub(crate) struct Node {
    pub(crate) peer: Peer<Unlimited>,
    pub(crate) outgoing: Outgoing<Unlimited>,
    sending: [(Precedence, Option<Batch>); 2],
    pub(crate) events: Vec<Event>,
    partial: PartialRecord,
    records: Vec<Vec<u8>>,
    pub(crate) address: SocketAddr,
    /// Whether it takes the records that come.
    pub(crate) takes: bool,
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

pub(crate) struct World {
    kind: Kind,
    pub(crate) nodes: [Node; 2],
    pub(crate) path: Path,
    pub(crate) now: Duration,
    random: u64,
    datagrams: Vec<(Duration, usize, Datagram)>,
    signals: VecDeque<(Duration, usize, Signal)>,
    /// Every signal that was passed on, with its sender.
    pub(crate) said: Vec<(usize, Signal)>,
    /// Whether the registry passes anything on.
    pub(crate) relays: bool,
}

impl World {
    pub(crate) fn new(kind: Kind, path: Path, seed: u64) -> Self {
        let epoch = Instant::now();
        let node = |number: u8| {
            let setup = Setup {
                certificate: Certificate::generate().unwrap(),
                epoch,
                is_first: number == 0,
                seed: number.into(),
                max_record_len: MAX_RECORD_LEN,
                memory: Box::new(|| Unlimited),
            };
            let address = SocketAddr::from(([192, 0, 2, number + 1], 1000));
            let mut peer = Peer::new(setup);
            peer.add_local(address);
            Node {
                peer,
                outgoing: Outgoing::new(kind == Kind::Own, Unlimited),
                sending: [(Precedence::Ahead, None), (Precedence::Bulk, None)],
                events: Vec::new(),
                partial: PartialRecord::default(),
                records: Vec::new(),
                address,
                takes: true,
            }
        };
        Self {
            kind,
            nodes: [node(0), node(1)],
            path,
            now: Duration::ZERO,
            random: seed | 1,
            datagrams: Vec::new(),
            signals: VecDeque::new(),
            said: Vec::new(),
            relays: true,
        }
    }

    pub(crate) fn connect(&mut self, node: usize) {
        self.nodes[node].peer.connect(self.now);
    }

    /// A record of `node`'s; it waits until there is room.
    pub(crate) fn send(&mut self, node: usize, kind: RecordKind, body: &[u8]) {
        let deadline = self.now + Duration::from_secs(60);
        while self.nodes[node].outgoing.push(kind, &[], body).is_err() {
            assert!(self.now < deadline, "no room for a minute");
            self.step();
        }
    }

    /// Until this holds.
    #[track_caller]
    pub(crate) fn until(&mut self, limit: Duration, mut holds: impl FnMut(&Self) -> bool) {
        let deadline = self.now + limit;
        while !holds(self) {
            assert!(self.now < deadline, "not within {limit:?}: {:?}", self.state());
            self.step();
        }
    }

    pub(crate) fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        while self.now < end {
            self.step();
        }
    }

    /// How many datagrams have been sent to `node`, and have not come.
    pub(crate) fn on_the_way_to(&self, node: usize) -> usize {
        self.datagrams.iter().filter(|(_, to, _)| *to == node).count()
    }

    fn state(&self) -> Vec<String> {
        let shown = |node: &Node| {
            let events = node.events.iter().filter(|event| !matches!(event, Event::Record(_)));
            format!("{} records; {:?}", node.records().len(), events.collect::<Vec<_>>())
        };
        self.nodes.iter().map(shown).collect()
    }

    fn random(&mut self) -> u64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        self.random
    }

    /// Lets everybody do what is due, and the clock go on to what comes next.
    fn step(&mut self) {
        let mut next = self.now + Duration::from_millis(50);
        for node in 0..2 {
            next = next.min(self.poll(node).unwrap_or(next));
        }
        let due = self.datagrams.iter().map(|(at, ..)| *at);
        let due = due.chain(self.signals.iter().map(|(at, ..)| *at)).min();
        self.now = next.min(due.unwrap_or(next)).max(self.now + Duration::from_micros(10));
        let now = self.now;
        while let Some((_, to, signal)) = self.signals.pop_front_if(|(at, ..)| *at <= now) {
            self.nodes[to].peer.signal(signal, now);
            self.poll(to);
        }
        self.datagrams.sort_by_key(|(at, ..)| *at);
        let late = self.datagrams.partition_point(|(at, ..)| *at <= now);
        for (_, to, datagram) in self.datagrams.drain(..late).collect::<Vec<_>>() {
            if self.nodes[to].address == datagram.to {
                let Datagram { from, to: at, bytes } = datagram;
                self.nodes[to].peer.receive(from, at, &bytes, now);
                self.poll(to);
            }
        }
    }

    fn poll(&mut self, node: usize) -> Option<Duration> {
        let now = self.now;
        loop {
            let this = &mut self.nodes[node];
            this.write(now);
            let output = this.peer.poll(now);
            while this.takes
                && let Some(event) = this.peer.event()
            {
                this.note(event);
            }
            match output {
                Output::Wait(at) => return at,
                Output::Transmit(datagram) => {
                    if self.random() % 1000 >= self.path.lost {
                        let jitter = self.path.jitter.mul_f64((self.random() % 100) as f64 / 100.0);
                        let at = now + self.path.delay + jitter;
                        self.datagrams.push((at, 1 - node, datagram));
                    }
                }
                Output::Signal(signal) if self.relays => self.relay(node, signal),
                Output::Signal(_) => {}
            }
        }
    }

    fn relay(&mut self, node: usize, signal: Signal) {
        let at = self.now + SIGNAL_DELAY;
        if signal == Signal::AskRole {
            for to in [1 - node, node] {
                self.signals.push_back((at, to, Signal::Role { is_offerer: to == 0 }));
            }
        } else {
            let heard = match self.kind {
                Kind::Own => signal.clone(),
                Kind::Official => official(&signal),
            };
            self.signals.push_back((at, 1 - node, heard));
        }
        self.said.push((node, signal));
    }
}

impl Node {
    fn write(&mut self, now: Duration) {
        for (precedence, sending) in &mut self.sending {
            loop {
                if sending.is_none() {
                    *sending = self.outgoing.take(*precedence);
                }
                let Some(batch) = sending else { break };
                while let Some((channel, message)) = batch.next() {
                    if !self.peer.write(channel, message, now) {
                        return;
                    }
                    batch.advance();
                }
                if let Some(batch) = sending.take() {
                    self.outgoing.left(batch);
                }
            }
        }
    }

    fn note(&mut self, event: Event) {
        if let Event::Record(message) = &event {
            self.read(message);
        }
        self.events.push(event);
    }

    fn read(&mut self, message: &Bytes) {
        for span in record::spans(message) {
            let span = span.unwrap();
            let body = message.slice(span.body_start()..span.end);
            if span.kind != RecordKind::Part {
                self.records.push(body.to_vec());
            } else if let Some(whole) = self.partial.push(&body, MAX_RECORD_LEN).unwrap() {
                self.read(&whole);
            }
        }
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
fn official(signal: &Signal) -> Signal {
    let mut signal = signal.clone();
    if let Signal::Offer(description) | Signal::Answer(description) = &mut signal {
        let lines = description.sdp.split_inclusive("\r\n");
        description.sdp = lines.filter(|line| !line.contains(record::EXTENSION)).collect();
    }
    signal
}
