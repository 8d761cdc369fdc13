mod faults;
mod invariants;

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BinaryHeap},
    panic::{AssertUnwindSafe, catch_unwind},
    time::Duration,
};

use actr_lite_wire::identity::ActrId;
use rand::{RngExt as _, SeedableRng as _, rngs::SmallRng};

use crate::{
    client_stream::ClientStream,
    context::Context,
    network::{Address, Arrived, Network, NetworkEvent, REGISTRY_ADDRESS, Socket},
    node::Node,
    registry::Registry,
    requests::{client_type, rogue_type, server_type},
    schedule::{REGISTRY, Schedule},
    trace::{Events, HostId, Trace},
};

/// How long after the last fault a schedule may go on without a frame for anybody: what it takes at most to notice a
/// silent peer, to register again, and to forget nodes that are gone.
const RECOVERY: Duration = Duration::from_secs(30);

/// How long it takes at most until all that starts with a schedule is there.
const STARTING: Duration = Duration::from_secs(5);

/// How long a schedule may last at all, beside what its slow connections take.
const LONGEST: Duration = Duration::from_secs(3600);

/// How many events a schedule may have: some hundred times what one has as a rule.
const MOST_EVENTS: u64 = 1_000_000;

/// How often, in events, the world as a whole is looked at.
const LOOK_EVERY: u64 = 64;

/// How long a node may take to stop, with what is on its way to it.
const STOPPING: Duration = Duration::from_secs(30);

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    Arrive(Socket),
    Wake(HostId),
    Fault(usize),
    /// Which rogue does which of its deeds.
    Deed(usize, usize),
    Start(HostId),
    Resume(HostId),
}

enum State {
    Down,
    Registry(Box<Registry>),
    Node(Box<Node>),
}

struct Host {
    state: State,
    paused_until: Duration,
    /// The earliest time for which it is to be called.
    wake: Option<Duration>,
    address: Address,
    /// When it last started.
    started: Duration,
    /// Who it is in this life.
    id: Option<ActrId>,
    /// When it comes back after it has left in order.
    returns_after: Option<Duration>,
}

/// Everything there is, and the time.
pub(crate) struct World {
    schedule: Schedule,
    now: Duration,
    rng: SmallRng,
    queue: BinaryHeap<Reverse<(Duration, u64, Event)>>,
    queued: u64,
    network: Network,
    trace: Trace,
    failure: Option<String>,
    hosts: Vec<Host>,
    addresses: BTreeMap<Address, HostId>,
    next_address: Address,
    /// When a stream may have been without a sender for a reason: from, until.
    troubles: Vec<(Duration, Duration)>,
    counts: Counts,
}

/// What happened in a schedule, in numbers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counts {
    /// Streams that were complete.
    pub complete: u64,
    /// Streams that were given up, with good reason.
    pub given_up: u64,
    /// Streams whose client vanished.
    pub vanished: u64,
    /// Frames that an application saw.
    pub frames: u64,
    /// Frames that were dropped because they had been seen.
    pub duplicates: u64,
    /// How many times a sender took over from another.
    pub resumes: u64,
    /// Connections of all kinds.
    pub connections: u64,
    /// How often each kind of event happened.
    pub events: Events,
}

impl std::ops::AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        self.complete += other.complete;
        self.given_up += other.given_up;
        self.vanished += other.vanished;
        self.frames += other.frames;
        self.duplicates += other.duplicates;
        self.resumes += other.resumes;
        self.connections += other.connections;
        for (what, count) in other.events {
            *self.events.entry(what).or_default() += count;
        }
    }
}

/// How a schedule went.
#[derive(Debug)]
pub struct Outcome {
    /// What it was about.
    pub counts: Counts,
    /// What happened.
    pub trace: Trace,
}

/// Runs the schedule of a seed to its end.
///
/// # Errors
/// When an invariant does not hold: a text that says which, and what led to it.
pub fn run(seed: u64) -> Result<Outcome, String> {
    let mut world = World::new(seed);
    // What the code itself asserts is an invariant too.
    if let Err(panic) = catch_unwind(AssertUnwindSafe(|| world.run())) {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text
            .or_else(|| panic.downcast_ref::<&str>().copied())
            .unwrap_or("no text");
        world.failure.get_or_insert(format!("panicked: {text}"));
    }
    match world.failure.take() {
        None => Ok(Outcome {
            counts: world.counts,
            trace: world.trace,
        }),
        Some(failure) => Err(format!(
            "seed {seed}, at {:?}: {failure}\n\n{}\n{}\n\
             replay with: SIMULATION_SEED={seed} cargo test -p simulation -- one_schedule",
            world.now, world.schedule, world.trace
        )),
    }
}

impl World {
    fn new(seed: u64) -> Self {
        let mut rng = SmallRng::seed_from_u64(seed);
        let schedule = Schedule::draw(&mut rng);
        let hosts = (0..schedule.hosts()).map(|_| Host {
            state: State::Down,
            paused_until: Duration::ZERO,
            wake: None,
            address: REGISTRY_ADDRESS,
            started: Duration::ZERO,
            id: None,
            returns_after: None,
        });
        let network = Network::new(schedule.slow_lanes);
        let mut world = Self {
            hosts: hosts.collect(),
            schedule,
            now: Duration::ZERO,
            rng,
            queue: BinaryHeap::new(),
            queued: 0,
            network,
            trace: Trace::new(),
            failure: None,
            addresses: BTreeMap::new(),
            next_address: REGISTRY_ADDRESS + 1,
            troubles: vec![(Duration::ZERO, STARTING)],
            counts: Counts::default(),
        };
        world.plan();
        world
    }

    fn plan(&mut self) {
        self.push(Duration::ZERO, Event::Start(REGISTRY));
        let servers = self.schedule.servers.iter().map(|(_, starts)| *starts);
        let clients = self.schedule.clients.iter().map(|client| client.starts);
        let rogues = self.schedule.rogues.iter().map(|rogue| rogue.starts);
        let starts: Vec<_> = servers.chain(clients).chain(rogues).collect();
        for (number, starts) in starts.into_iter().enumerate() {
            if number + 1 < self.schedule.first_client() {
                self.move_host(number + 1);
            }
            self.push(starts, Event::Start(number + 1));
        }
        for fault in 0..self.schedule.faults.len() {
            self.push(self.schedule.faults[fault].0, Event::Fault(fault));
        }
        for rogue in 0..self.schedule.rogues.len() {
            for deed in 0..self.schedule.rogues[rogue].deeds.len() {
                self.push(self.schedule.rogues[rogue].deeds[deed].0, Event::Deed(rogue, deed));
            }
        }
        self.addresses.insert(REGISTRY_ADDRESS, REGISTRY);
    }

    fn push(&mut self, at: Duration, event: Event) {
        self.queued += 1;
        self.queue.push(Reverse((at.max(self.now), self.queued, event)));
    }

    fn move_host(&mut self, host: HostId) {
        self.addresses.remove(&self.hosts[host].address);
        self.hosts[host].address = self.next_address;
        self.addresses.insert(self.next_address, host);
        self.next_address += 1;
    }

    fn run(&mut self) {
        let end_of_trouble = self.schedule.healed + RECOVERY;
        while self.failure.is_none() {
            if self.now > end_of_trouble && self.clients_are_done() {
                break;
            }
            // Heartbeats never end: an empty queue would be a failure of the simulation itself.
            if !self.step() || self.now > LONGEST + self.schedule.to_carry_all() || self.queued > MOST_EVENTS {
                let next = self.queue.peek();
                self.failure
                    .get_or_insert(format!("the schedule does not come to its end; next is {next:?}"));
            }
        }
        if self.failure.is_none() {
            self.check_whole_streams();
            self.check_calls();
            self.check_directory();
            self.count();
            self.wind_down();
        }
        self.counts.connections = self.network.opened;
        self.counts.events = self.trace.events().clone();
    }

    /// One event. False: there is none.
    fn step(&mut self) -> bool {
        let Some(Reverse((at, number, event))) = self.queue.pop() else {
            return false;
        };
        self.now = at;
        match event {
            Event::Wake(host) => {
                if self.hosts[host].wake == Some(at) {
                    self.hosts[host].wake = None;
                    self.poll(host);
                }
            }
            Event::Arrive(socket) => self.arrive(socket),
            Event::Resume(host) => self.poll(host),
            Event::Start(host) => self.start(host),
            Event::Fault(fault) => self.fault(self.schedule.faults[fault].1),
            Event::Deed(rogue, deed) => self.misbehave(rogue, deed),
        }
        if number % LOOK_EVERY == 0 {
            self.look();
        }
        true
    }

    /// Gives a host its turn, unless it stands still.
    fn poll(&mut self, host: HostId) {
        if self.now < self.hosts[host].paused_until {
            return;
        }
        let wake = self.act(host, |state, cx| match state {
            State::Down => None,
            State::Registry(registry) => registry.poll(cx),
            State::Node(node) => node.poll(cx),
        });
        self.look_whether_stopped(host);
        self.check_identity(host);
        if let Some(wake) = wake
            && self.hosts[host]
                .wake
                .is_none_or(|planned| wake < planned || planned < self.now)
        {
            self.hosts[host].wake = Some(wake.max(self.now));
            self.push(wake, Event::Wake(host));
        }
    }

    /// Does something with a host, and then what follows in the network.
    fn act<R>(&mut self, host: HostId, act: impl FnOnce(&mut State, &mut Context<'_>) -> R) -> R {
        let mut cx = Context {
            now: self.now,
            host,
            rng: &mut self.rng,
            network: &mut self.network,
            trace: &mut self.trace,
            failure: &mut self.failure,
        };
        let result = act(&mut self.hosts[host].state, &mut cx);
        self.take_network_events();
        result
    }

    /// Somebody breaks the protocol.
    fn misbehave(&mut self, rogue: usize, deed: usize) {
        let host = self.schedule.first_rogue() + rogue;
        let deed = self.schedule.rogues[rogue].deeds[deed].1;
        self.act(host, |state, cx| {
            if let State::Node(node) = state {
                node.misbehave(deed, cx);
            }
        });
        self.poll(host);
    }

    fn take_network_events(&mut self) {
        for (at, event) in self.network.take_events() {
            match event {
                NetworkEvent::Arrive(socket) => self.push(at, Event::Arrive(socket)),
                NetworkEvent::Room(host) => self.push(at, Event::Resume(host)),
            }
        }
    }

    fn arrive(&mut self, socket: Socket) {
        let addresses = &self.addresses;
        let arrived = self.network.arrive(socket, self.now, &mut self.rng, |address| {
            addresses.get(&address).copied()
        });
        self.take_network_events();
        match arrived {
            Arrived::Nothing => {}
            Arrived::At(host) => self.poll(host),
            Arrived::Dial(address) => self.dialled(socket, address),
        }
    }

    fn dialled(&mut self, socket: Socket, address: Address) {
        // If nobody is there the registry's machine answers for the network.
        let host = self.addresses.get(&address).copied().unwrap_or(REGISTRY);
        let is_known = self.addresses.contains_key(&address);
        self.act(host, |state, cx| {
            let is_up = is_known && !matches!(state, State::Down);
            if is_up {
                cx.network.accept(socket, host);
            }
            match state {
                State::Registry(registry) if is_up => registry.accept(socket, cx),
                State::Node(node) if is_up => node.accept(socket, cx),
                _ if cx.rng.random_bool(0.5) => cx.network.refuse(socket, cx.now, cx.rng),
                _ => cx.network.ignore(socket),
            }
        });
        if is_known {
            self.poll(host);
        }
    }

    fn start(&mut self, host: HostId) {
        if !matches!(self.hosts[host].state, State::Down) {
            return;
        }
        self.hosts[host].started = self.now;
        self.hosts[host].id = None;
        self.trace.record(self.now, host, "starts", [0, 0]);
        if host == REGISTRY {
            let manner = self.schedule.registry;
            self.act(host, |state, cx| {
                *state = State::Registry(Box::new(Registry::new(manner, cx)));
            });
        } else {
            self.hosts[host].state = State::Node(Box::new(self.new_node(host)));
        }
        self.poll(host);
    }

    fn new_node(&mut self, host: HostId) -> Node {
        let (schedule, now, life) = (&self.schedule, self.now, self.rng.random());
        let calls = schedule.calls[host - 1].clone();
        let node = |actr_type, address, manner| Node::new(actr_type, address, manner, calls, now, life);
        if host < schedule.first_client() {
            let (manner, address) = (schedule.servers[host - 1].0.clone(), self.hosts[host].address);
            return node(server_type(), Some(address), manner);
        }
        let Some(client) = schedule.clients.get(host - schedule.first_client()) else {
            let manner = schedule.rogue_manner(&schedule.rogues[host - schedule.first_rogue()]);
            return node(rogue_type(), None, manner);
        };
        let mut node = node(client_type(), None, client.manner.clone());
        for stream in &client.streams {
            let spec = schedule.streams[*stream].clone();
            let stream = ClientStream::new(spec, schedule.limits(client), client.pause, now);
            node.streams.push(stream);
        }
        node
    }

    fn tell_to_leave(&mut self, host: HostId) {
        self.act(host, |state, cx| match state {
            State::Node(node) => node.leave(cx),
            State::Registry(registry) => {
                registry.stop(cx);
                *state = State::Down;
            }
            State::Down => {}
        });
        self.poll(host);
    }

    fn look_whether_stopped(&mut self, host: HostId) {
        let State::Node(node) = &self.hosts[host].state else {
            return;
        };
        if !node.is_stopped() {
            return;
        }
        self.trace.record(self.now, host, "has stopped", [0, 0]);
        if node.leftovers() > 0 {
            self.failure.get_or_insert(format!(
                "host {host} has stopped, but {} things are left",
                node.leftovers()
            ));
        }
        self.hosts[host].state = State::Down;
        if let Some(down) = self.hosts[host].returns_after.take()
            && !self.is_lost(host)
        {
            self.push(self.now + down, Event::Start(host));
        }
    }

    fn streams(&self) -> impl Iterator<Item = &ClientStream> {
        self.hosts.iter().flat_map(|host| match &host.state {
            State::Node(node) => node.streams.as_slice(),
            _ => &[],
        })
    }

    fn clients_are_done(&self) -> bool {
        self.streams().all(ClientStream::is_over)
    }
}
