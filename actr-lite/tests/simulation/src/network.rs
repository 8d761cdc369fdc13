use std::{
    collections::{BTreeMap, VecDeque},
    net::Ipv4Addr,
    time::Duration,
};

use actr_lite_net::source::Source;
use bytes::{Buf as _, Bytes, BytesMut};
use rand::{RngExt as _, rngs::SmallRng};

use crate::trace::HostId;

/// Where the registry listens, in every life.
pub(crate) const REGISTRY_ADDRESS: Address = 0;

/// Which connection; each number is used once.
pub(crate) type ConnectionId = u64;

/// Where a host listens.
pub(crate) type Address = u16;

/// One end of a connection: 0 dialled, 1 accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Socket {
    pub(crate) connection: ConnectionId,
    pub(crate) end: usize,
}

impl Socket {
    fn other(self) -> Self {
        Self {
            end: 1 - self.end,
            ..self
        }
    }
}

/// What came of a read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Read {
    /// So many bytes.
    Bytes(usize),
    /// Nothing now.
    Nothing,
    /// The peer sends no more.
    End,
    /// The connection is gone.
    Reset,
}

/// The connection is gone.
#[derive(Debug)]
pub(crate) struct Broken;

/// How a connection is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cut {
    /// Both ends learn it.
    Reset,
    /// Only this end learns it; to the other it looks as if nothing came any more.
    HalfOpen(usize),
    /// Neither end learns it.
    Silent,
}

/// How the network asks the world to be called again.
#[derive(Debug, Clone, Copy)]
pub(crate) enum NetworkEvent {
    /// Something arrives at this end.
    Arrive(Socket),
    /// A host may write again.
    Room(HostId),
}

#[derive(Debug)]
enum Segment {
    Open,
    Bytes(Bytes),
    Fin,
    Reset,
}

/// One direction of a connection, named for the end at which it arrives.
#[derive(Debug, Default)]
struct Pipe {
    in_flight: VecDeque<(Duration, Segment)>,
    /// How many bytes are in flight.
    flying: usize,
    ready: BytesMut,
    fin: bool,
    last_arrival: Duration,
    /// The writer met a full pipe, and waits.
    is_blocked: bool,
}

#[derive(Debug)]
struct End {
    /// Nobody until a host has accepted.
    host: Option<HostId>,
    /// The host has closed it, or crashed.
    is_gone: bool,
    was_reset: bool,
    sent_fin: bool,
    inbound: Pipe,
}

impl End {
    fn new(host: Option<HostId>) -> Self {
        Self {
            host,
            is_gone: false,
            was_reset: false,
            sent_fin: false,
            inbound: Pipe::default(),
        }
    }
}

/// How a connection behaves: drawn when it is made.
#[derive(Debug, Clone, Copy)]
struct Manner {
    delay: Duration,
    jitter: Duration,
    /// The longest piece in which bytes arrive, as a rule.
    segment: usize,
    /// How much may be on its way or unread.
    capacity: usize,
    /// Bytes in a second.
    rate: u64,
}

/// A piece is longer than a connection's usual ones if there would be more than this many of them on the way: few
/// events tell as much as many.
const MAX_SEGMENTS: usize = 48;

impl Manner {
    fn draw(rng: &mut SmallRng) -> Self {
        let longest = [0, 2, 2, 20, 100][rng.random_range(0..5)];
        Self {
            delay: Duration::from_micros(rng.random_range(50..=200 + longest * 1000)),
            jitter: Duration::from_micros(rng.random_range(0..=100 + longest * 500)),
            segment: [9, 200, 1460, 9000, 65536][rng.random_range(0..5)],
            capacity: [8 << 10, 64 << 10, 128 << 10, 600 << 10][rng.random_range(0..4)],
            rate: [300_000, 2_000_000, 100_000_000, 1_000_000_000][rng.random_range(0..4)],
        }
    }

    fn slow(lanes: SlowLanes, rng: &mut SmallRng) -> Self {
        let capacity = match lanes.is_deep {
            true => DEEP,
            false => (lanes.rate as usize * 2).clamp(8 << 10, 128 << 10),
        };
        Self {
            segment: [200, 1460][rng.random_range(0..2)],
            capacity,
            rate: lanes.rate,
            ..Self::draw(rng)
        }
    }
}

/// How much a deep buffer on the way holds: minutes of a slow connection.
const DEEP: usize = 256 << 10;

/// Connections between nodes that are slow in both directions.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SlowLanes {
    /// Bytes in a second.
    pub(crate) rate: u64,
    /// Far more is on the way than they carry in some seconds: every ping waits behind it.
    pub(crate) is_deep: bool,
}

#[derive(Debug)]
struct Connection {
    manner: Manner,
    address: Address,
    ends: [End; 2],
    /// What is sent is never heard of again.
    is_dead: bool,
}

/// What arrived at an end, for the world to act on.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Arrived {
    /// A host dials this address.
    Dial(Address),
    /// This host has something to read.
    At(HostId),
    /// Nothing that matters.
    Nothing,
}

/// All connections: like TCP, without the packets.
#[derive(Debug, Default)]
pub(crate) struct Network {
    connections: BTreeMap<ConnectionId, Connection>,
    next: ConnectionId,
    /// Pairs of hosts between which nothing gets through, and until when.
    partitions: Vec<(HostId, HostId, Duration)>,
    events: Vec<(Duration, NetworkEvent)>,
    /// How many connections there were.
    pub(crate) opened: u64,
    slow_lanes: Option<SlowLanes>,
}

impl Network {
    pub(crate) fn new(slow_lanes: Option<SlowLanes>) -> Self {
        Self {
            slow_lanes,
            ..Self::default()
        }
    }

    /// What is to happen, since the last time.
    pub(crate) fn take_events(&mut self) -> Vec<(Duration, NetworkEvent)> {
        std::mem::take(&mut self.events)
    }

    pub(crate) fn dial(&mut self, host: HostId, address: Address, now: Duration, rng: &mut SmallRng) -> Socket {
        let connection = self.next;
        self.next += 1;
        self.opened += 1;
        let manner = match self.slow_lanes {
            Some(lanes) if address != REGISTRY_ADDRESS => Manner::slow(lanes, rng),
            _ => Manner::draw(rng),
        };
        self.connections.insert(
            connection,
            Connection {
                manner,
                address,
                ends: [End::new(Some(host)), End::new(None)],
                is_dead: false,
            },
        );
        let socket = Socket { connection, end: 0 };
        self.send(socket, Segment::Open, now, rng);
        socket
    }

    /// Where the connection of this end comes from.
    pub(crate) fn source(&self, socket: Socket) -> Source {
        let connection = self.connections.get(&socket.connection);
        let host = connection.and_then(|connection| connection.ends[1 - socket.end].host);
        Source::of(Ipv4Addr::from_bits(host.unwrap_or_default() as u32).into())
    }

    /// The host takes what was dialled.
    pub(crate) fn accept(&mut self, socket: Socket, host: HostId) {
        if let Some(connection) = self.connections.get_mut(&socket.connection) {
            connection.ends[1].host = Some(host);
        }
    }

    /// Nobody listens.
    pub(crate) fn refuse(&mut self, socket: Socket, now: Duration, rng: &mut SmallRng) {
        self.close(socket, now, rng);
        self.send(socket, Segment::Reset, now, rng);
    }

    /// Nobody answers a dial.
    pub(crate) fn ignore(&mut self, socket: Socket) {
        if let Some(connection) = self.connections.get_mut(&socket.connection) {
            connection.is_dead = true;
            connection.ends[1].is_gone = true;
        }
        self.forget(socket.connection);
    }

    /// How much of `bytes` the connection takes.
    pub(crate) fn write(
        &mut self,
        socket: Socket,
        bytes: &[u8],
        now: Duration,
        rng: &mut SmallRng,
    ) -> Result<usize, Broken> {
        let Some(connection) = self.connections.get_mut(&socket.connection) else {
            return Err(Broken);
        };
        let manner = connection.manner;
        if connection.ends[socket.end].was_reset || connection.ends[socket.end].sent_fin {
            return Err(Broken);
        }
        let pipe = &mut connection.ends[1 - socket.end].inbound;
        let room = manner.capacity.saturating_sub(pipe.flying + pipe.ready.len());
        // As TCP does: a little room is not worth a segment (RFC 9293 §3.8.6.2).
        let is_worthwhile = room >= manner.capacity / 4 || bytes.len() <= room;
        let len = if is_worthwhile { bytes.len().min(room) } else { 0 };
        pipe.is_blocked |= len < bytes.len();
        let mut rest = Bytes::copy_from_slice(&bytes[..len]);
        while !rest.is_empty() {
            let longest = manner.segment.max(len / MAX_SEGMENTS);
            let piece = rest.split_to(rng.random_range(1..=longest).min(rest.len()));
            self.send(socket, Segment::Bytes(piece), now, rng);
        }
        Ok(len)
    }

    fn send(&mut self, from: Socket, segment: Segment, now: Duration, rng: &mut SmallRng) {
        let Some(connection) = self.connections.get_mut(&from.connection) else {
            return;
        };
        let manner = connection.manner;
        let is_dead = connection.is_dead;
        let pipe = &mut connection.ends[1 - from.end].inbound;
        let len = match &segment {
            Segment::Bytes(bytes) => bytes.len(),
            _ => 0,
        };
        pipe.flying += len;
        if is_dead {
            // It fills the sender's buffers and gets nowhere.
            return;
        }
        let jitter = manner.jitter.mul_f64(rng.random::<f64>());
        let wire = Duration::from_nanos(len as u64 * 1_000_000_000 / manner.rate);
        let at = (now + manner.delay + jitter).max(pipe.last_arrival + wire);
        pipe.last_arrival = at;
        pipe.in_flight.push_back((at, segment));
        if pipe.in_flight.len() == 1 {
            self.events.push((at, NetworkEvent::Arrive(from.other())));
        }
    }

    /// Until when nothing gets through between the two, if that is so now.
    fn cut_off(&self, a: HostId, b: HostId, now: Duration) -> Option<Duration> {
        self.partitions
            .iter()
            .filter(|(x, y, until)| *until > now && ((*x, *y) == (a, b) || (*x, *y) == (b, a)))
            .map(|(_, _, until)| *until)
            .max()
    }

    /// Nothing gets through between two hosts for a while. What was sent is sent again later, as TCP does.
    pub(crate) fn partition(&mut self, a: HostId, b: HostId, until: Duration) {
        self.partitions.push((a, b, until));
    }

    /// Something arrives at `socket`, at the earliest now. `listens` says who listens at an address.
    pub(crate) fn arrive(
        &mut self,
        socket: Socket,
        now: Duration,
        rng: &mut SmallRng,
        listens: impl Fn(Address) -> Option<HostId>,
    ) -> Arrived {
        let Some(connection) = self.connections.get(&socket.connection) else {
            return Arrived::Nothing;
        };
        let here = connection.ends[socket.end].host.or_else(|| listens(connection.address));
        let there = connection.ends[1 - socket.end].host;
        let healed = match (here, there) {
            (Some(here), Some(there)) => self.cut_off(here, there, now),
            _ => None,
        };
        let Some(connection) = self.connections.get_mut(&socket.connection) else {
            return Arrived::Nothing;
        };
        let address = connection.address;
        let end = &mut connection.ends[socket.end];
        let pipe = &mut end.inbound;
        if let Some(healed) = healed {
            // Sent again once it gets through: TCP's own back-off makes that up to a second later.
            let again = healed + Duration::from_millis(rng.random_range(0..1000));
            for (at, _) in &mut pipe.in_flight {
                *at = (*at).max(again);
            }
            pipe.last_arrival = pipe.last_arrival.max(again);
            self.events.push((again, NetworkEvent::Arrive(socket)));
            return Arrived::Nothing;
        }
        let mut arrived = Arrived::Nothing;
        let mut bytes_for_nobody = false;
        while let Some((at, _)) = pipe.in_flight.front() {
            if *at > now {
                self.events.push((*at, NetworkEvent::Arrive(socket)));
                break;
            }
            match pipe.in_flight.pop_front() {
                Some((_, Segment::Open)) => arrived = Arrived::Dial(address),
                Some((_, Segment::Bytes(bytes))) => {
                    pipe.flying -= bytes.len();
                    if end.is_gone {
                        bytes_for_nobody = true;
                    } else {
                        pipe.ready.extend_from_slice(&bytes);
                    }
                }
                Some((_, Segment::Fin)) => pipe.fin = true,
                Some((_, Segment::Reset)) => {
                    end.was_reset = true;
                    pipe.ready.clear();
                }
                None => break,
            }
            if let (Arrived::Nothing, Some(host), false) = (&arrived, end.host, end.is_gone) {
                arrived = Arrived::At(host);
            }
        }
        if arrived == Arrived::Dial(address)
            && let (Some(_), false) = (end.host, end.is_gone)
        {
            arrived = Arrived::Nothing;
        }
        if bytes_for_nobody {
            self.send(socket, Segment::Reset, now, rng);
        }
        arrived
    }

    /// Reads at most `most` bytes.
    pub(crate) fn read(&mut self, socket: Socket, buffer: &mut BytesMut, most: usize, now: Duration) -> Read {
        let Some(connection) = self.connections.get_mut(&socket.connection) else {
            return Read::Reset;
        };
        let (delay, capacity) = (connection.manner.delay, connection.manner.capacity);
        let other = connection.ends[1 - socket.end].host;
        let end = &mut connection.ends[socket.end];
        if end.was_reset {
            return Read::Reset;
        }
        let pipe = &mut end.inbound;
        let len = pipe.ready.len().min(most);
        if len == 0 {
            return if pipe.fin { Read::End } else { Read::Nothing };
        }
        buffer.extend_from_slice(&pipe.ready[..len]);
        pipe.ready.advance(len);
        let has_room = pipe.flying + pipe.ready.len() <= capacity - capacity / 4;
        if has_room
            && std::mem::take(&mut pipe.is_blocked)
            && let Some(host) = other
        {
            self.events.push((now + delay, NetworkEvent::Room(host)));
        }
        Read::Bytes(len)
    }

    /// This end sends no more.
    pub(crate) fn shut_down(&mut self, socket: Socket, now: Duration, rng: &mut SmallRng) {
        let Some(connection) = self.connections.get_mut(&socket.connection) else {
            return;
        };
        if !std::mem::replace(&mut connection.ends[socket.end].sent_fin, true) {
            self.send(socket, Segment::Fin, now, rng);
        }
    }

    /// The host forgets its end.
    pub(crate) fn close(&mut self, socket: Socket, now: Duration, rng: &mut SmallRng) {
        self.shut_down(socket, now, rng);
        if let Some(connection) = self.connections.get_mut(&socket.connection) {
            let end = &mut connection.ends[socket.end];
            end.is_gone = true;
            end.inbound.ready = BytesMut::new();
        }
        self.forget(socket.connection);
    }

    fn forget(&mut self, connection: ConnectionId) {
        if self
            .connections
            .get(&connection)
            .is_some_and(|connection| connection.ends.iter().all(|end| end.is_gone))
        {
            self.connections.remove(&connection);
        }
    }

    pub(crate) fn cut(&mut self, connection: ConnectionId, cut: Cut, now: Duration) {
        let Some(found) = self.connections.get_mut(&connection) else {
            return;
        };
        found.is_dead = true;
        for (number, end) in found.ends.iter_mut().enumerate() {
            end.inbound.in_flight.clear();
            let learns = match cut {
                Cut::Reset => true,
                Cut::HalfOpen(who) => who == number,
                Cut::Silent => false,
            };
            match end.host {
                Some(host) if learns && !end.is_gone => {
                    end.was_reset = true;
                    self.events.push((now, NetworkEvent::Room(host)));
                }
                Some(_) => {}
                // Nobody will ever accept it.
                None => end.is_gone = true,
            }
        }
        self.forget(connection);
    }

    /// A host is gone, with all its connections.
    pub(crate) fn crash(&mut self, host: HostId, is_silent: bool, now: Duration, rng: &mut SmallRng) {
        let ends: Vec<Socket> = self
            .connections
            .iter()
            .flat_map(|(&connection, found)| {
                let is_its = |end: &usize| found.ends[*end].host == Some(host) && !found.ends[*end].is_gone;
                (0..2).filter(is_its).map(move |end| Socket { connection, end })
            })
            .collect();
        for socket in ends {
            if let Some(connection) = self.connections.get_mut(&socket.connection) {
                let end = &mut connection.ends[socket.end];
                (end.is_gone, end.sent_fin) = (true, true);
                end.inbound.ready = BytesMut::new();
                connection.is_dead |= is_silent;
                if is_silent {
                    connection.ends[1 - socket.end].inbound.in_flight.clear();
                }
                if connection.ends[1].host.is_none() {
                    connection.ends[1].is_gone = true;
                }
            }
            if !is_silent {
                self.send(socket, Segment::Reset, now, rng);
            }
            self.forget(socket.connection);
        }
    }

    /// The connections there are.
    pub(crate) fn open(&self) -> Vec<ConnectionId> {
        self.connections.keys().copied().collect()
    }

    /// Whether nothing is on its way or unread in either direction, and the connection works.
    pub(crate) fn is_drained(&self, connection: ConnectionId) -> bool {
        self.connections.get(&connection).is_some_and(|found| {
            !found.is_dead
                && found
                    .ends
                    .iter()
                    .all(|end| end.inbound.in_flight.is_empty() && end.inbound.ready.is_empty() && !end.was_reset)
        })
    }
}
