//! Whatever goes wrong for a while: in a session records come once and in order, both learn that it ends, and when all is
//! well again both have the same one.
//!
//! A schedule is drawn from its seed, and so is what happens to each datagram and signal. Keys and the numbers of ICE, DTLS
//! and SCTP are not: the same seed makes the same trouble, at the same times, and what is sent differs a little.

use std::{
    env, iter, mem,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    thread,
    time::Duration,
};

use actr_lite_webrtc::{channel::Channel, peer::Event, signal::Signal};
use actr_lite_wire::{partial_record::PartialRecord, record::RecordKind};

use crate::{
    node::{KINDS, enough, read},
    world::{GOOD, Path, World},
};

/// How many schedules each run has; another number in `PEERS_COUNT`, the first seed in `PEERS_SEED`.
const SCHEDULES: u64 = 150;

/// How long things go wrong.
const TROUBLE: u64 = 40_000;

/// How long after that both have the same session: what is being made times out, and one more.
const JOINED_WITHIN: Duration = Duration::from_secs(60);

/// How long after one side's session has ended the other one learns it, at most.
const TOLD_WITHIN: Duration = Duration::from_secs(10);

/// How many records each side sends at the end, and how long they may take.
const LAST: usize = 20;
const LAST_WITHIN: Duration = Duration::from_secs(10);

/// How many steps a schedule may have: some times what one has that carries a lot.
const MOST_STEPS: u64 = 400_000;

/// The channels on which nothing is lost.
const RELIABLE: [Channel; 3] = [Channel::RpcReliable, Channel::RpcSignal, Channel::StreamReliable];

/// What goes wrong. Times are in milliseconds.
#[derive(Debug, Clone, Copy)]
enum Fault {
    Network(Path, u64),
    Relay(Path, u64),
    Move(usize),
    Start(usize),
    Close(usize),
    Want(usize),
    /// The registry tells both to offer.
    Glare,
    /// A node is told to offer, whatever there is.
    Offer(usize),
    /// A node is asked to look for another path.
    Restart(usize),
    /// A node takes no records.
    Full(usize, u64),
}

/// A node's application: what it wants, sends, and was told.
#[derive(Debug, Default)]
struct Application {
    wants: bool,
    is_asking: bool,
    is_open: bool,
    /// Its sessions are numbered through all its lives.
    session: u32,
    /// How many records it has sent in this one.
    sent: [u32; RELIABLE.len()],
    /// How many have come, and of which session of the peer's.
    came: [u32; RELIABLE.len()],
    theirs: Option<u32>,
    partial: PartialRecord,
    ended: Vec<(u32, Duration)>,
}

impl Application {
    fn told(&mut self, event: Event, now: Duration) -> Result<(), String> {
        match event {
            Event::Ready(_) if !self.is_open => {
                self.partial = PartialRecord::default();
                (self.is_open, self.is_asking, self.theirs) = (true, false, None);
                self.session += 1;
                (self.sent, self.came) = Default::default();
            }
            Event::Record(message) if self.is_open => {
                let mut taken = Ok(());
                let mut partial = mem::take(&mut self.partial);
                read(&message, &mut partial, &mut |kind, body| {
                    if taken.is_ok() {
                        taken = self.take(kind, &body);
                    }
                });
                self.partial = partial;
                return taken;
            }
            Event::Ended(_) | Event::Closed(_) if self.is_open => self.ends(now),
            Event::Failed(_) if self.is_asking && !self.is_open => self.is_asking = false,
            Event::Recovering | Event::Recovered if self.is_open => {}
            // The path is there before the session is.
            Event::Path { .. } => {}
            event => return Err(format!("it is told {event:?}: {self:?}")),
        }
        Ok(())
    }

    fn ends(&mut self, now: Duration) {
        if mem::take(&mut self.is_open) {
            self.ended.push((self.session, now));
        }
    }

    fn take(&mut self, kind: RecordKind, body: &[u8]) -> Result<(), String> {
        let number = |at: usize| Some(u32::from_be_bytes(*body.get(at..)?.first_chunk()?));
        let (Some(session), Some(number)) = (number(0), number(4)) else {
            return Err("a record is cut".into());
        };
        let lane = RELIABLE.iter().position(|channel| channel.kind() == kind);
        let came = lane
            .map(|lane| &mut self.came[lane])
            .ok_or("a record of another channel")?;
        if *self.theirs.get_or_insert(session) != session {
            return Err(format!("a record of session {session} in that with {:?}", self.theirs));
        }
        if number != *came {
            return Err(format!("record {number} came after {came} others"));
        }
        *came += 1;
        Ok(())
    }
}

struct Run {
    world: World,
    applications: [Application; 2],
    steps: u64,
    sends: bool,
}

impl Run {
    /// One step, and what the applications do then.
    fn step(&mut self) -> Result<(), String> {
        self.world.step();
        self.steps += 1;
        if self.steps > MOST_STEPS {
            return Err("it does not come to rest".into());
        }
        let now = self.world.now;
        for node in 0..2 {
            let (this, application) = (&mut self.world.nodes[node], &mut self.applications[node]);
            for event in mem::take(&mut this.events) {
                application
                    .told(event, now)
                    .map_err(|error| format!("node {node}: {error}"))?;
            }
            if application.wants && !application.is_open && !application.is_asking && !this.peer.is_closing() {
                self.want(node);
            }
            if self.sends && self.world.random().is_multiple_of(16) {
                self.send(node);
            }
        }
        for node in 0..2 {
            let [this, other] = [&self.applications[node], &self.applications[1 - node]];
            let is_over =
                |(session, ended): &(u32, Duration)| this.theirs == Some(*session) && *ended + TOLD_WITHIN < now;
            if this.is_open && self.world.nodes[node].takes && other.ended.iter().any(is_over) {
                return Err(format!("node {node} still has a session that the other one has not"));
            }
        }
        Ok(())
    }

    fn pass(&mut self, until: Duration) -> Result<(), String> {
        while self.world.now < until {
            self.step()?;
        }
        Ok(())
    }

    fn want(&mut self, node: usize) {
        self.applications[node].is_asking |= !self.applications[node].is_open;
        self.world.connect(node);
    }

    /// A record, if there is room. Now and then a frame is a long one; short calls overtake long ones.
    fn send(&mut self, node: usize) -> bool {
        let drawn = self.world.random();
        let (this, application) = (&mut self.world.nodes[node], &mut self.applications[node]);
        if !application.is_open || !this.peer.is_ready() {
            return false;
        }
        let lane = drawn as usize % RELIABLE.len();
        let len = match drawn >> 8 & 63 {
            0 if RELIABLE[lane] == Channel::StreamReliable => 150_000,
            len => len * 20,
        };
        let mut body = [application.session, application.sent[lane]]
            .map(u32::to_be_bytes)
            .concat();
        body.resize(body.len() + len as usize, 7);
        let has_room = this.outgoing.push(RELIABLE[lane].kind(), &[], &body).is_ok();
        application.sent[lane] += u32::from(has_room);
        has_room
    }

    fn fault(&mut self, fault: Fault) {
        let (now, world) = (self.world.now, &mut self.world);
        match fault {
            Fault::Network(path, _) => world.path = path,
            Fault::Relay(path, _) => world.relay = path,
            Fault::Move(node) => {
                let number = world.random() as u8 | 1;
                world.move_away(node, number);
            }
            Fault::Start(node) => {
                world.start(node);
                self.applications[node].ends(now);
                self.applications[node].is_asking = false;
            }
            Fault::Close(node) => {
                world.nodes[node].peer.close(enough(), now);
                self.applications[node].is_asking = false;
            }
            Fault::Want(node) => self.want(node),
            Fault::Glare => {
                for node in &mut world.nodes {
                    node.peer.signal(Signal::Role { is_offerer: true }, now);
                }
            }
            Fault::Offer(node) => world.nodes[node].peer.signal(Signal::Role { is_offerer: true }, now),
            Fault::Restart(node) => world.nodes[node].peer.signal(Signal::AskRestart, now),
            Fault::Full(node, _) => world.nodes[node].takes = false,
        }
    }

    /// It is over.
    fn heal(&mut self, fault: Fault, good: [Path; 2]) {
        match fault {
            Fault::Network(..) => self.world.path = good[0],
            Fault::Relay(..) => self.world.relay = good[1],
            Fault::Full(node, _) => self.world.nodes[node].takes = true,
            _ => {}
        }
    }
}

fn draw(world: &mut World) -> Fault {
    let random = |world: &mut World, below: u64| world.random() % below;
    let path = |world: &mut World, longest: u64| Path {
        delay: Duration::from_millis(random(world, 100)),
        jitter: Duration::from_millis(random(world, longest)),
        lost: random(world, 300),
        doubled: random(world, 100),
    };
    let node = random(world, 2) as usize;
    let lasts = 100 + random(world, 15_000);
    match random(world, 12) {
        0 => Fault::Network(Path { lost: 1000, ..GOOD }, lasts),
        1 | 2 => Fault::Network(path(world, 300), lasts),
        3 => Fault::Relay(Path { lost: 1000, ..GOOD }, lasts),
        4 => Fault::Relay(path(world, 8_000), lasts),
        5 => Fault::Move(node),
        6 => Fault::Start(node),
        7 => Fault::Close(node),
        8 => Fault::Glare,
        9 => Fault::Offer(node),
        10 => [Fault::Want(node), Fault::Restart(node)][random(world, 2) as usize],
        _ => Fault::Full(node, 1 + lasts / 4),
    }
}

fn run(seed: u64) -> Result<(), String> {
    // The generator needs more than a few bits.
    let mut world = World::new(
        KINDS[seed as usize % KINDS.len()],
        GOOD,
        seed.wrapping_mul(0x9e37_79b9_7f4a_7c15),
    );
    let delay = |world: &mut World| Path {
        delay: Duration::from_micros(200 + world.random() % 60_000),
        ..GOOD
    };
    let good = [delay(&mut world), delay(&mut world)];
    [world.path, world.relay] = good;
    world.offerer = world.random() as usize % 2;
    let mut changes = Vec::new();
    for _ in 0..world.random() % 6 {
        let (at, fault) = (world.random() % TROUBLE, draw(&mut world));
        changes.push((at, fault, true));
        if let Fault::Network(_, lasts) | Fault::Relay(_, lasts) | Fault::Full(_, lasts) = fault {
            changes.push((at + lasts, fault, false));
        }
    }
    changes.sort_by_key(|(at, ..)| *at);
    let drawn = world.random();
    let applications = [0, 1].map(|node| Application {
        wants: drawn % 3 != node,
        ..Application::default()
    });
    let mut run = Run {
        world,
        applications,
        steps: 0,
        sends: true,
    };
    let ran = run.all(&changes, good);
    ran.map_err(|error| {
        let Run { world, applications, .. } = &run;
        format!(
            "seed {seed}, at {:?}: {error}\n{changes:#?}\n{applications:#?}\nsaid: {:?}\nreplay with: PEERS_SEED={seed} PEERS_COUNT=1",
            world.now,
            world.said.iter().map(|(from, signal)| (from, signal.word())).collect::<Vec<_>>()
        )
    })
}

impl Run {
    fn all(&mut self, changes: &[(u64, Fault, bool)], good: [Path; 2]) -> Result<(), String> {
        for (at, fault, begins) in changes {
            self.pass(Duration::from_millis(*at))?;
            if *begins {
                self.fault(*fault);
            } else {
                self.heal(*fault, good);
            }
        }
        // What is late is late by the longest jitter.
        let healed = self.world.now + Duration::from_secs(8);
        self.pass(healed + JOINED_WITHIN)?;
        if !self.applications.iter().all(|application| application.is_open) {
            return Err("they do not both have a session".into());
        }
        self.sends = false;
        let sessions = self.applications.each_ref().map(|application| application.session);
        for _ in 0..LAST {
            for node in 0..2 {
                while !self.send(node) {
                    self.step()?;
                }
            }
        }
        self.pass(self.world.now + LAST_WITHIN)?;
        for (node, session) in sessions.into_iter().enumerate() {
            let [this, other] = [&self.applications[node], &self.applications[1 - node]];
            if this.session != session || !this.is_open {
                return Err("they do not keep it".into());
            }
            if (this.theirs, this.came) != (Some(other.session), other.sent) {
                return Err(format!("not all has come at node {node}"));
            }
        }
        Ok(())
    }
}

fn number(name: &str) -> Option<u64> {
    let text = env::var(name).ok()?;
    Some(
        text.parse()
            .unwrap_or_else(|_| panic!("{name} is {text:?}, which is not a number")),
    )
}

#[test]
fn whatever_goes_wrong_ends_with_one_session_for_both() {
    let first = number("PEERS_SEED").unwrap_or(1);
    let seeds = first..first + number("PEERS_COUNT").unwrap_or(SCHEDULES);
    let next = AtomicU64::new(seeds.start);
    let threads = thread::available_parallelism().map_or(1, usize::from);
    let run_some = || {
        let seeds = iter::from_fn(|| Some(next.fetch_add(1, Relaxed)).filter(|seed| seeds.contains(seed)));
        seeds.map(run).find_map(Result::err)
    };
    let failure = thread::scope(|scope| {
        let threads: Vec<_> = (0..threads).map(|_| scope.spawn(run_some)).collect();
        threads.into_iter().find_map(|thread| thread.join().unwrap())
    });
    if let Some(failure) = failure {
        panic!("{failure}");
    }
}
