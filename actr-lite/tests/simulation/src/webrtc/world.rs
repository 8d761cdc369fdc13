use std::{cmp::Reverse, collections::BinaryHeap, time::Duration};

use actr_lite_engine::upgrade::offer::Agreed;
use actr_lite_webrtc::{
    event::Event as Told,
    negotiation::Action,
    signal::{Description, Signal},
    stage::{CHANNEL_TIMEOUT, RECOVERY_TIMEOUT, SILENCE},
};
use actr_lite_wire::record_limit::RecordLimit;
use rand::{RngExt as _, rngs::SmallRng};

use crate::{
    trace::Trace,
    webrtc::{
        connection::{Connection, Outcome, Packet},
        host::Host,
        schedule::{Fault, Schedule},
    },
};

/// How long after the last fault both have the same session: what is being made times out (12 s), the longest pause is over
/// (4 s), and there may be one more that lasts as long, as each learns by itself that the other has none.
const JOINED_WITHIN: Duration = Duration::from_secs(60);

/// How long after the last offer, where nothing goes wrong: less than anything takes that times out.
const JOINED_AT_ONCE: Duration = Duration::from_secs(9);

/// How long they keep it then, at least.
const KEPT: Duration = Duration::from_secs(30);

/// How long one may have a session of which the other knows nothing: until it hears nothing, which begins when the last late
/// packet has come.
const ALONE: Duration = Duration::from_secs(3)
    .saturating_add(SILENCE)
    .saturating_add(RECOVERY_TIMEOUT);

/// What two nodes without the extension agree on; it makes no difference here.
const AGREED: Agreed = Agreed {
    extended: false,
    peer_limit: RecordLimit::MIN,
};

/// How many events a schedule may have: some ten times what one has.
const MOST_EVENTS: u64 = 50_000;

/// How many things a node may do in one turn.
const MOST_ACTIONS: usize = 100;

/// How long whoever has lost a session waits at most until it wants another.
const LONGEST_PAUSE: f64 = 2.0;

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    Wake(usize),
    Packet(usize, PacketNumber),
    /// To whom, in which of its lives.
    Signal(usize, u64, SignalNumber),
    Refused(usize, u64),
    Want(usize, u64),
    Start(usize),
    Fault(usize),
}

type PacketNumber = usize;
type SignalNumber = usize;

/// What a channel does until a time.
#[derive(Debug, Clone, Copy, Default)]
struct Trouble {
    until: Duration,
    of_thousand: u32,
    late: Duration,
}

/// Two nodes, and the time.
pub(super) struct World {
    schedule: Schedule,
    rng: SmallRng,
    pub(super) now: Duration,
    pub(super) trace: Trace,
    hosts: [Host; 2],
    queue: BinaryHeap<Reverse<(Duration, u64, Event)>>,
    queued: u64,
    packets: Vec<Packet>,
    signals: Vec<Signal>,
    /// When each direction of the registry has passed on the last one: signals do not overtake each other as a rule.
    passed: [Duration; 2],
    generation: u64,
    /// Addresses of generations before these are no longer the node's.
    moved: [u64; 2],
    network: Trouble,
    relay: Trouble,
    cut_until: Duration,
    mute_until: Duration,
    stuck: (Duration, Option<usize>),
}

impl World {
    pub(super) fn new(schedule: Schedule, rng: SmallRng) -> Self {
        let mut world = Self {
            hosts: [0, 1].map(|host| Host::new(host, 1, schedule.wants[host].is_some())),
            rng,
            now: Duration::ZERO,
            trace: Trace::new(),
            queue: BinaryHeap::new(),
            queued: 0,
            packets: Vec::new(),
            signals: Vec::new(),
            passed: [Duration::ZERO; 2],
            generation: 1,
            moved: [0; 2],
            network: Trouble::default(),
            relay: Trouble::default(),
            cut_until: Duration::ZERO,
            mute_until: Duration::ZERO,
            stuck: (Duration::ZERO, None),
            schedule,
        };
        for host in 0..2 {
            if let Some(at) = world.schedule.wants[host] {
                world.push(at, Event::Want(host, 1));
            }
        }
        for fault in 0..world.schedule.faults.len() {
            world.push(world.schedule.faults[fault].0, Event::Fault(fault));
        }
        world
    }

    fn push(&mut self, at: Duration, event: Event) {
        self.queued += 1;
        self.queue.push(Reverse((at.max(self.now), self.queued, event)));
    }

    fn record(&mut self, host: usize, what: &'static str, numbers: [u64; 2]) {
        self.trace.record(self.now, host, what, numbers);
    }

    pub(super) fn run(&mut self) -> Result<(), String> {
        let joined_within = if self.schedule.is_mild {
            JOINED_AT_ONCE
        } else {
            JOINED_WITHIN
        };
        let joined_by = self.schedule.healed + joined_within;
        let mut kept = None;
        while let Some(Reverse((at, _, event))) = self.queue.pop() {
            self.now = at;
            if at > joined_by {
                if !self.hosts[0].is_joined_with(&self.hosts[1]) {
                    return Err(format!("they do not have the same session: {:?}", self.state()));
                }
                let sessions = self.hosts.each_ref().map(|host| host.application.session);
                if *kept.get_or_insert(sessions) != sessions {
                    return Err("they do not keep it".into());
                }
                if at > joined_by + KEPT {
                    return Ok(());
                }
            }
            if self.queued > MOST_EVENTS {
                return Err("it does not come to rest".into());
            }
            self.step(event)?;
            self.check()?;
        }
        Err("nothing is to come, and the paths of a session are checked for ever".into())
    }

    fn state(&self) -> Vec<String> {
        let hosts = self.hosts.iter();
        hosts
            .map(|host| format!("{:?}, {:?}, {:?}", host.negotiation, host.connection, host.application))
            .collect()
    }

    fn step(&mut self, event: Event) -> Result<(), String> {
        match event {
            Event::Wake(host) => {
                if self.hosts[host].wake == Some(self.now) {
                    self.hosts[host].wake = None;
                    return self.turn(host);
                }
            }
            Event::Packet(host, packet) => return self.arrive(host, self.packets[packet]),
            Event::Signal(host, life, signal) => {
                if self.is_alive(host, life) {
                    let signal = self.signals[signal].clone();
                    self.hear(host, signal);
                    return self.turn(host);
                }
            }
            Event::Refused(host, life) => {
                if self.is_alive(host, life) {
                    self.record(host, "is told that the other one is not there", [0, 0]);
                    self.hosts[host].negotiation.refused("it is not there", self.now);
                    return self.turn(host);
                }
            }
            Event::Want(host, life) => {
                if self.is_alive(host, life) {
                    return self.want(host);
                }
            }
            Event::Start(host) => {
                if self.hosts[host].is_up {
                    return Ok(());
                }
                let (life, wants) = (self.hosts[host].life + 1, self.hosts[host].application.wants);
                self.hosts[host] = Host::new(host, life, wants);
                self.record(host, "starts again", [life, 0]);
                if wants {
                    return self.want(host);
                }
            }
            Event::Fault(fault) => return self.fault(self.schedule.faults[fault].1),
        }
        Ok(())
    }

    fn is_alive(&self, host: usize, life: u64) -> bool {
        self.hosts[host].is_up && self.hosts[host].life == life
    }

    fn want(&mut self, host: usize) -> Result<(), String> {
        self.record(host, "wants a session", [0, 0]);
        let this = &mut self.hosts[host];
        if this.application.session.is_none() || this.negotiation.is_closing() {
            this.application.asks(self.now);
        }
        this.negotiation.connect(self.now);
        self.turn(host)
    }

    fn fault(&mut self, fault: Fault) -> Result<(), String> {
        let now = self.now;
        match fault {
            Fault::Partition { lasts } => self.cut_until = self.cut_until.max(now + lasts),
            Fault::NoRelay { lasts } => self.mute_until = self.mute_until.max(now + lasts),
            Fault::BadNetwork {
                lasts,
                of_thousand,
                late,
            } => {
                let until = now + lasts;
                self.network = Trouble {
                    until,
                    of_thousand,
                    late,
                };
            }
            Fault::BadRelay {
                lasts,
                of_thousand,
                late,
            } => {
                let until = now + lasts;
                self.relay = Trouble {
                    until,
                    of_thousand,
                    late,
                };
            }
            Fault::Stuck { lasts, only } => self.stuck = (now + lasts, only),
            Fault::Crash { host, down } => {
                self.record(host, "crashes", [0, 0]);
                self.hosts[host].is_up = false;
                self.push(now + down, Event::Start(host));
            }
            Fault::Move { host } => {
                self.record(host, "moves", [0, 0]);
                self.moved[host] = self.generation;
            }
            Fault::Close { host, pause } if self.hosts[host].is_up => {
                self.record(host, "closes its session", [0, 0]);
                let drained = self.rng.random_range(0.0..2.0);
                let this = &mut self.hosts[host];
                this.drained = now + Duration::from_secs_f64(drained);
                this.application.closes(now);
                this.negotiation.close(now);
                if this.application.wants {
                    let life = this.life;
                    self.push(now + pause, Event::Want(host, life));
                }
                return self.turn(host);
            }
            Fault::Want { host } if self.hosts[host].is_up => return self.want(host),
            Fault::Restart { host } if self.hosts[host].is_up => {
                self.hear(host, Signal::AskRestart);
                return self.turn(host);
            }
            Fault::Glare { only } => {
                for host in (0..2).filter(|host| only.is_none_or(|only| only == *host)) {
                    self.pass_on(host, Signal::Role { is_offerer: true });
                }
            }
            Fault::Close { .. } | Fault::Want { .. } | Fault::Restart { .. } => {}
        }
        Ok(())
    }

    fn next_generation(&mut self) -> u64 {
        self.generation += 1;
        self.generation
    }

    fn connection(&mut self, host: usize, is_offerer: bool, peer: Option<u64>) -> Connection {
        let (until, only) = self.stuck;
        let is_stuck = self.now < until && only.is_none_or(|only| only == host);
        Connection::new(is_offerer, self.next_generation(), peer, is_stuck)
    }

    /// A node hears what was said.
    fn hear(&mut self, host: usize, signal: Signal) {
        let (now, next) = (self.now, self.next_generation());
        let this = &mut self.hosts[host];
        match signal {
            Signal::Role { is_offerer } => this.negotiation.assigned(is_offerer, now),
            Signal::AskRestart => this.negotiation.restart_asked(),
            Signal::Offer(offer) => this.negotiation.offered(offer, now),
            Signal::Reoffer(offer) => {
                if this.negotiation.takes_reoffer(&offer)
                    && let Some((connection, peer)) = this.connection.as_mut().zip(generation(&offer))
                {
                    let own = connection.accept_offer(peer, next);
                    let answer = connection.described(own, offer.exchange);
                    self.record(host, "answers another path", [0, 0]);
                    self.pass_on(1 - host, Signal::Answer(answer));
                }
            }
            Signal::Answer(answer) => {
                if this.negotiation.takes_answer(&answer)
                    && let Some((connection, peer)) = this.connection.as_mut().zip(generation(&answer))
                {
                    connection.accept_answer(peer);
                }
            }
            Signal::AskRole | Signal::Candidate { .. } => {}
        }
    }

    fn arrive(&mut self, host: usize, packet: Packet) -> Result<(), String> {
        let now = self.now;
        let this = &mut self.hosts[host];
        let received = this
            .connection
            .as_mut()
            .and_then(|connection| connection.receive(packet));
        let Some((outcome, answer)) = received.filter(|_| this.is_up) else {
            return Ok(());
        };
        this.negotiation.heard(now);
        match outcome {
            Some(Outcome::Path) => {
                this.half_open = this.connection.as_ref().map(|connection| (connection.origin, now));
                this.negotiation.path_found(now);
            }
            Some(Outcome::Open) => {
                this.half_open = None;
                this.negotiation.opened(AGREED, now);
            }
            Some(Outcome::Ended) => this.negotiation.ended("the peer closed it", now),
            None => {}
        }
        self.send(host, answer);
        self.turn(host)
    }

    /// A node does all that is due.
    fn turn(&mut self, host: usize) -> Result<(), String> {
        let now = self.now;
        if !self.hosts[host].is_up {
            return Ok(());
        }
        for _ in 0..MOST_ACTIONS {
            let this = &mut self.hosts[host];
            if this.negotiation.is_draining() && this.drained <= now {
                this.negotiation.drained(now);
            }
            let mut next = this.negotiation.poll(now);
            if next.is_some_and(|next| next <= now) {
                return Err(format!("host {host} is to be woken at once, for ever"));
            }
            if let Some(action) = this.negotiation.action() {
                self.act(host, action)?;
                continue;
            }
            if this.negotiation.is_draining() {
                next = next.map(|next| next.min(this.drained));
            }
            if let Some(connection) = &mut this.connection {
                let (packets, at) = connection.poll(now);
                next = next.into_iter().chain(at).min();
                for packet in packets {
                    self.send(host, packet);
                }
            }
            let planned = &mut self.hosts[host].wake;
            if let Some(next) = next
                && planned.is_none_or(|planned| next < planned || planned <= now)
            {
                *planned = Some(next);
                self.push(next, Event::Wake(host));
            }
            return Ok(());
        }
        Err(format!("host {host} does not come to an end"))
    }

    fn act(&mut self, host: usize, action: Action) -> Result<(), String> {
        match action {
            Action::AskRole => self.ask_role(host),
            Action::Offer { exchange } => {
                let connection = self.connection(host, true, None);
                let offer = connection.described(connection.own, exchange);
                self.hosts[host].connection = Some(connection);
                self.record(host, "offers", [0, 0]);
                self.pass_on(1 - host, Signal::Offer(offer));
            }
            Action::Answer(offer) => {
                let now = self.now;
                self.hosts[host].negotiation.answering(&offer, now);
                let connection = self.connection(host, false, generation(&offer));
                let answer = connection.described(connection.own, offer.exchange);
                self.hosts[host].connection = Some(connection);
                self.record(host, "answers", [0, 0]);
                self.pass_on(1 - host, Signal::Answer(answer));
            }
            Action::Reoffer { exchange } => {
                let own = self.next_generation();
                let offer = self.hosts[host].connection.as_mut().map(|connection| {
                    connection.restart(own);
                    connection.described(own, exchange)
                });
                self.record(host, "offers another path", [0, 0]);
                if let Some(offer) = offer {
                    self.pass_on(1 - host, Signal::Reoffer(offer));
                }
            }
            Action::AskRestart => {
                self.record(host, "asks for another path", [0, 0]);
                self.pass_on(1 - host, Signal::AskRestart);
            }
            Action::Close => {
                let bye = self.hosts[host].connection.as_ref().and_then(Connection::bye);
                self.send(host, bye);
            }
            Action::Discard => self.hosts[host].connection = None,
            Action::Tell(event) => self.tell(host, &event)?,
        }
        Ok(())
    }

    fn tell(&mut self, host: usize, event: &Told) -> Result<(), String> {
        let what = match event {
            Told::Ready(_) => "has a session",
            Told::Record(_) => "has a record",
            Told::Path { .. } => "has a path",
            Told::Recovering => "has lost the path",
            Told::Recovered => "has the path back",
            Told::Ended(_) | Told::Closed(_) => "has lost its session",
            Told::Failed(_) => "can get no session",
        };
        self.record(host, what, [0, 0]);
        let wants = self.hosts[host].application.told(event);
        if wants.map_err(|error| format!("host {host}: {error}"))? {
            let pause = self.rng.random_range(0.0..LONGEST_PAUSE);
            let life = self.hosts[host].life;
            self.push(self.now + Duration::from_secs_f64(pause), Event::Want(host, life));
        }
        Ok(())
    }

    /// The registry is asked who offers.
    fn ask_role(&mut self, host: usize) {
        self.record(host, "asks who offers", [0, 0]);
        if self.now < self.mute_until {
            return;
        }
        if !self.hosts[1 - host].is_up {
            let life = self.hosts[host].life;
            return self.push(self.now + 2 * self.schedule.signal_delay, Event::Refused(host, life));
        }
        let drawn = self.rng.random_range(0..2);
        let offerer = self.schedule.offerer.unwrap_or(drawn);
        for to in [1 - host, host] {
            self.pass_on(
                to,
                Signal::Role {
                    is_offerer: to == offerer,
                },
            );
        }
    }

    /// The registry passes something on.
    fn pass_on(&mut self, to: usize, signal: Signal) {
        if self.now < self.mute_until || !self.hosts[to].is_up {
            return;
        }
        let (at, life) = (self.now + self.schedule.signal_delay, self.hosts[to].life);
        self.signals.push(signal);
        let event = Event::Signal(to, life, self.signals.len() - 1);
        if self.now >= self.relay.until {
            let at = at.max(self.passed[to]);
            self.passed[to] = at;
            return self.push(at, event);
        }
        for at in self.copies(at, self.relay) {
            self.push(at, event.clone());
        }
    }

    fn send(&mut self, host: usize, packet: Option<Packet>) {
        let Some(packet) = packet.filter(|_| self.now >= self.cut_until) else {
            return;
        };
        // Where a node was before it moved, nobody is, and nothing that it sends from there arrives.
        if packet.from <= self.moved[host] || packet.to <= self.moved[1 - host] {
            return;
        }
        self.packets.push(packet);
        let event = Event::Packet(1 - host, self.packets.len() - 1);
        let at = self.now + self.schedule.packet_delay;
        if self.now >= self.network.until {
            return self.push(at, event);
        }
        for at in self.copies(at, self.network) {
            self.push(at, event.clone());
        }
    }

    /// When something arrives that is sent in this trouble: not at all, once, or twice.
    fn copies(&mut self, at: Duration, trouble: Trouble) -> Vec<Duration> {
        let drawn = self.rng.random_range(0..1000);
        let count = match drawn {
            drawn if drawn < trouble.of_thousand => 0,
            drawn if drawn < 2 * trouble.of_thousand => 2,
            _ => 1,
        };
        let late = |world: &mut Self| trouble.late.mul_f64(world.rng.random_range(0.0..1.0));
        (0..count).map(|_| at + late(self)).collect()
    }

    fn check(&mut self) -> Result<(), String> {
        for number in 0..2 {
            let [this, other] = match number {
                0 => self.hosts.each_mut(),
                _ => {
                    let [first, second] = self.hosts.each_mut();
                    [second, first]
                }
            };
            if !this.is_up {
                this.alone = None;
                continue;
            }
            let failed = |error| format!("host {number}: {error}");
            this.application.check(self.now, self.schedule.healed).map_err(failed)?;
            if this.negotiation.is_ready() && this.application.session.is_none() {
                return Err(failed("it has a session and was not told of it".into()));
            }
            let origin = |host: &Host| host.connection.as_ref().map(|connection| connection.origin);
            let half_open = this.half_open.filter(|(half_open, _)| Some(*half_open) == origin(this));
            let is_old = half_open.is_some_and(|(_, since)| since + CHANNEL_TIMEOUT < self.now);
            if is_old && !this.negotiation.is_closing() {
                return Err(failed("it keeps a connection that stays half-open".into()));
            }
            let is_alone = this.negotiation.is_ready() && (!other.is_up || origin(this) != origin(other));
            let alone = is_alone.then(|| this.alone.unwrap_or(self.now));
            this.alone = alone;
            if alone.is_some_and(|alone| alone + ALONE < self.now) {
                return Err(failed("it has a session of which the other one knows nothing".into()));
            }
        }
        Ok(())
    }
}

/// Which generation of addresses is described.
fn generation(description: &Description) -> Option<u64> {
    description.sdp.rsplit(' ').next()?.parse().ok()
}
