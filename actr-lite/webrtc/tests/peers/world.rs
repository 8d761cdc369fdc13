//! Two peers, a registry and a network, all in memory and on one clock.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use actr_lite_webrtc::{
    peer::{Certificate, Datagram, Event, Local, Output},
    signal::Signal,
    stun::{Class, Stun},
};
use actr_lite_wire::record::RecordKind;

use crate::node::{Kind, Node, official, stream};

/// How long the registry takes to pass something on.
const SIGNAL_DELAY: Duration = Duration::from_millis(3);

/// How much a node may have to do at one time: as much as it sends in a burst, and some hundred times that.
const MOST_OUTPUTS: usize = 100_000;

/// As long as a session takes to be made, at the worst.
pub(crate) const SOON: Duration = Duration::from_secs(10);

/// What the network does to datagrams, and the registry to signals.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Path {
    pub(crate) delay: Duration,
    /// Added to the delay, at most.
    pub(crate) jitter: Duration,
    /// Of a thousand.
    pub(crate) lost: u64,
    /// Of a thousand.
    pub(crate) doubled: u64,
}

pub(crate) const GOOD: Path = Path {
    delay: Duration::from_millis(1),
    jitter: Duration::ZERO,
    lost: 0,
    doubled: 0,
};

pub(crate) struct World {
    kind: Kind,
    pub(crate) nodes: [Node; 2],
    pub(crate) path: Path,
    pub(crate) relay: Path,
    /// Which node offers, by what the registry says.
    pub(crate) offerer: usize,
    pub(crate) now: Duration,
    epoch: Instant,
    certificate: Certificate,
    random: u64,
    datagrams: Vec<(Duration, usize, Datagram)>,
    /// When, to whom, in which of its lives.
    signals: Vec<(Duration, (usize, u64), Signal)>,
    /// Every signal that was passed on, with its sender.
    pub(crate) said: Vec<(usize, Signal)>,
    /// Whether a node gets only what comes from where it has sent something itself.
    pub(crate) is_shut: bool,
}

impl World {
    pub(crate) fn new(kind: Kind, path: Path, seed: u64) -> Self {
        Self::with(kind, path, seed, false)
    }

    /// The same where both are reached by way of relays only.
    pub(crate) fn relayed(kind: Kind, path: Path, seed: u64) -> Self {
        Self::with(kind, path, seed, true)
    }

    fn with(kind: Kind, path: Path, seed: u64, is_relayed: bool) -> Self {
        let epoch = Instant::now();
        // The same at both ends: neither looks whose it is. It takes as long to make as some sessions.
        let certificate = Certificate::generate().unwrap();
        let node = |number: usize| {
            let address = address(number, 0);
            let local = match is_relayed {
                true => Local::Relayed {
                    address,
                    local: SocketAddr::from(([10, 0, 0, number as u8 + 1], 1000)),
                },
                false => address.into(),
            };
            Node::new(kind, (number, 0), local, epoch, certificate.clone())
        };
        Self {
            kind,
            nodes: [node(0), node(1)],
            path,
            relay: Path {
                delay: SIGNAL_DELAY,
                ..GOOD
            },
            offerer: 0,
            now: Duration::ZERO,
            epoch,
            random: seed | 1,
            datagrams: Vec::new(),
            signals: Vec::new(),
            said: Vec::new(),
            is_shut: false,
            certificate,
        }
    }

    pub(crate) fn connect(&mut self, node: usize) {
        self.nodes[node].peer.connect(self.now);
    }

    /// `node` starts again, with no memory of its sessions.
    pub(crate) fn start(&mut self, node: usize) {
        let Node { life, address, .. } = self.nodes[node];
        let certificate = self.certificate.clone();
        self.nodes[node] = Node::new(self.kind, (node, life + 1), address, self.epoch, certificate);
    }

    /// `node` has another address, and the one that it had no longer.
    pub(crate) fn move_away(&mut self, node: usize, number: u8) {
        self.nodes[node].address = address(node, number);
        self.nodes[node].peer.add_local(self.nodes[node].address);
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

    pub(crate) fn state(&self) -> Vec<String> {
        let shown = |node: &Node| {
            let events = node.events.iter().filter(|event| !matches!(event, Event::Record(_)));
            format!("{} records; {:?}", node.records().len(), events.collect::<Vec<_>>())
        };
        self.nodes.iter().map(shown).collect()
    }

    pub(crate) fn random(&mut self) -> u64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        self.random
    }

    /// Lets everybody do what is due, and the clock go on to what comes next.
    pub(crate) fn step(&mut self) {
        let mut next = self.now + Duration::from_millis(50);
        for node in 0..2 {
            next = next.min(self.poll(node).unwrap_or(next));
        }
        let due = self.datagrams.iter().map(|(at, ..)| *at);
        let due = due.chain(self.signals.iter().map(|(at, ..)| *at)).min();
        self.now = next.min(due.unwrap_or(next)).max(self.now + Duration::from_micros(10));
        let now = self.now;
        self.signals.sort_by_key(|(at, ..)| *at);
        let late = self.signals.partition_point(|(at, ..)| *at <= now);
        for (_, (to, life), signal) in self.signals.drain(..late).collect::<Vec<_>>() {
            if self.nodes[to].life == life {
                self.nodes[to].peer.signal(signal, now);
                self.poll(to);
            }
        }
        self.datagrams.sort_by_key(|(at, ..)| *at);
        let late = self.datagrams.partition_point(|(at, ..)| *at <= now);
        for (_, to, datagram) in self.datagrams.drain(..late).collect::<Vec<_>>() {
            let may_enter = !self.is_shut || self.nodes[to].has_sent;
            if self.nodes[to].address == datagram.to && may_enter {
                let Datagram { from, to: at, bytes } = datagram;
                self.nodes[to].peer.receive(from, at, &bytes, now);
                self.poll(to);
            }
        }
    }

    fn poll(&mut self, node: usize) -> Option<Duration> {
        let now = self.now;
        for _ in 0..MOST_OUTPUTS {
            let this = &mut self.nodes[node];
            this.write(now);
            let output = this.peer.poll(now);
            let mut is_told = false;
            while this.takes
                && let Some(event) = this.peer.event()
            {
                this.note(event);
                is_told = true;
            }
            match output {
                Output::Wait(_) if is_told => {}
                Output::Wait(at) => {
                    assert!(
                        !this.write(now),
                        "node {node} could write again, and was not told: {:?}",
                        this.events.last()
                    );
                    assert!(
                        at.is_none_or(|at| at > now),
                        "node {node} is to be woken at once, for ever"
                    );
                    return at;
                }
                Output::Transmit(datagram) => {
                    this.has_sent = true;
                    if Stun::read(&datagram.bytes).is_some_and(|stun| stun.class == Class::Request) {
                        this.checked = Some(datagram.clone());
                    }
                    // What it sends from an address that it had does not arrive.
                    if datagram.from == self.nodes[node].address {
                        for at in self.copies(self.path) {
                            self.datagrams.push((at, 1 - node, datagram.clone()));
                        }
                    }
                }
                Output::Signal(signal) => self.relay(node, signal),
                // It writes before each poll.
                Output::Writable => {}
            }
        }
        panic!("node {node} does not come to an end");
    }

    /// When something arrives: not at all, once, or twice.
    fn copies(&mut self, path: Path) -> Vec<Duration> {
        let drawn = self.random() % 1000;
        let count = match drawn {
            drawn if drawn < path.lost => 0,
            drawn if drawn < path.lost + path.doubled => 2,
            _ => 1,
        };
        let jitter = |world: &mut Self| path.jitter.mul_f64((world.random() % 100) as f64 / 100.0);
        (0..count).map(|_| self.now + path.delay + jitter(self)).collect()
    }

    fn relay(&mut self, node: usize, signal: Signal) {
        let passed_on = if signal == Signal::AskRole {
            let role = |to| Signal::Role {
                is_offerer: to == self.offerer,
            };
            vec![(1 - node, role(1 - node)), (node, role(node))]
        } else {
            let heard = match self.kind {
                Kind::Own => signal.clone(),
                Kind::Official => official(&signal),
            };
            vec![(1 - node, heard)]
        };
        for (to, signal) in passed_on {
            let life = self.nodes[to].life;
            for at in self.copies(self.relay) {
                self.signals.push((at, (to, life), signal.clone()));
            }
        }
        self.said.push((node, signal));
    }
}

/// An address of a node's: it has one after the other.
fn address(node: usize, number: u8) -> SocketAddr {
    SocketAddr::from(([192, 0, 2 + number, node as u8 + 1], 1000))
}

/// Two nodes with a session, which one of them has asked for.
pub(crate) fn connected(kind: Kind, path: Path, seed: u64, asks: usize) -> World {
    let mut world = World::new(kind, path, seed);
    world.connect(asks);
    world.until(SOON * 3, |world| world.nodes.iter().all(|node| node.peer.is_ready()));
    world
}

pub(crate) fn numbered(count: u32) -> impl Iterator<Item = Vec<u8>> {
    (0..count).map(|number| [&number.to_be_bytes()[..], &[7; 60]].concat())
}

#[track_caller]
pub(crate) fn assert_carries(world: &mut World, from: usize, count: u32) {
    let before = world.nodes[1 - from].records().len();
    for body in numbered(count) {
        world.send(from, stream(), &body);
    }
    world.until(SOON * 6, |world| {
        world.nodes[1 - from].records().len() == before + count as usize
    });
    let expected: Vec<_> = numbered(count).collect();
    assert_eq!(world.nodes[1 - from].records()[before..], expected);
}
