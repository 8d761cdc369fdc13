use std::{fmt, sync::Arc, time::Duration};

use actr_lite_engine::resumption;
use actr_lite_manifest::Limits;
use rand::{RngExt as _, rngs::SmallRng};

use crate::{caller::CallPlan, deed::Rogue, network::SlowLanes, stream_spec::StreamSpec, trace::HostId};

/// The Unix time at which every schedule starts, in seconds.
pub(crate) const START_OF_TIME: u64 = 1_800_000_000;

/// The registry's host.
pub(crate) const REGISTRY: HostId = 0;

/// How a node behaves.
#[derive(Debug, Clone)]
pub(crate) struct Manner {
    /// It speaks the extension: batches, credit, control records.
    pub(crate) extended: bool,
    /// A server that starts behind the frame that a client names.
    pub(crate) knows_hint: bool,
    /// How long a handler takes at most.
    pub(crate) longest_handling: Duration,
    /// After how long without a call or a stream it closes a connection.
    pub(crate) idle_timeout: Duration,
    /// All streams of the schedule.
    pub(crate) streams: Arc<[StreamSpec]>,
}

/// How the registry behaves, in each of its lives.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RegistryManner {
    /// How long a credential is good.
    pub(crate) credential_seconds: u64,
    /// Every other answer to a renewal gets lost at most.
    pub(crate) loses_renewals: bool,
}

/// What goes wrong.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Fault {
    /// A host crashes, and restarts after a while, maybe at another address.
    Crash {
        host: HostId,
        down: Duration,
        is_silent: bool,
        moves: bool,
    },
    /// A host does nothing for a while.
    Pause { host: HostId, lasts: Duration },
    /// Nothing gets through between two hosts for a while.
    Partition { hosts: (HostId, HostId), lasts: Duration },
    /// One of the connections breaks: both ends learn it, one, or none.
    Cut { choice: usize, manner: usize },
    /// A server shuts down in order, and restarts after a while.
    Leave { host: HostId, down: Duration },
    /// A client drops what it receives, and asks for the rest again.
    Renew { host: HostId },
    /// A client is gone for good.
    Vanish { host: HostId, is_silent: bool },
}

/// A client: how it behaves, its streams, and its timeout.
#[derive(Debug, Clone)]
pub(crate) struct ClientSpec {
    pub(crate) manner: Manner,
    pub(crate) streams: Vec<usize>,
    pub(crate) timeout: Duration,
    /// How long it takes over a frame.
    pub(crate) pause: Duration,
    pub(crate) starts: Duration,
}

/// Everything that is drawn before a schedule starts.
#[derive(Debug)]
pub(crate) struct Schedule {
    pub(crate) registry: RegistryManner,
    pub(crate) streams: Arc<[StreamSpec]>,
    pub(crate) servers: Vec<(Manner, Duration)>,
    pub(crate) clients: Vec<ClientSpec>,
    pub(crate) faults: Vec<(Duration, Fault)>,
    /// Those that break the protocol.
    pub(crate) rogues: Vec<Rogue>,
    /// What each node calls beside its streams, the servers first.
    pub(crate) calls: Vec<CallPlan>,
    /// When the last fault is over and every host that comes back is there.
    pub(crate) healed: Duration,
    /// Servers that do not come back.
    pub(crate) lost_servers: Vec<HostId>,
    /// If the connections between nodes are slow.
    pub(crate) slow_lanes: Option<SlowLanes>,
}

/// The longest time between two calls.
const LONGEST_PAUSE: Duration = Duration::from_secs(6);

/// How long a credential is good at least: in the last fifth there is time for a renewal that is tried twice.
const SHORTEST_CREDENTIAL: u64 = 15;

/// In which schedules somebody breaks the protocol, and in which of those nothing else is wrong.
const ROGUE_RATIO: f64 = 0.15;
const ROGUE_ALONE: f64 = 0.7;

/// Of which slow schedules nothing goes wrong: they show that a slow stream is not given up.
const SLOW_AND_WELL: f64 = 0.5;

fn seconds(rng: &mut SmallRng, from: f64, to: f64) -> Duration {
    Duration::from_secs_f64(rng.random_range(from..to))
}

impl Schedule {
    pub(crate) fn draw(rng: &mut SmallRng) -> Self {
        let is_slow = rng.random_bool(0.05);
        let slow_lanes = is_slow.then(|| SlowLanes {
            rate: [2_000, 5_000, 20_000, 60_000][rng.random_range(0..4)],
            is_deep: rng.random_bool(0.3),
        });
        // Without the extension a long frame is one message, and another stream's answer waits behind it; everything
        // waits behind what is on the way already.
        let all_extended = is_slow.then(|| rng.random_bool(0.7));
        let servers = rng.random_range(1..=3);
        let clients = rng.random_range(1..=if is_slow { 2 } else { 4 });
        let mut streams = Vec::new();
        let mut wanted = Vec::new();
        for _ in 0..clients {
            let may_share = all_extended != Some(false) && !slow_lanes.is_some_and(|lanes| lanes.is_deep);
            let count = if may_share && rng.random_bool(0.25) { 2 } else { 1 };
            let first = streams.len();
            for number in first..first + count {
                streams.push(match is_slow {
                    true => StreamSpec::draw_for_slow_lanes(number as u64, rng),
                    false => StreamSpec::draw(number as u64, rng),
                });
            }
            wanted.push((first..first + count).collect::<Vec<_>>());
        }
        let streams: Arc<[StreamSpec]> = streams.into();
        let manner = |rng: &mut SmallRng| Manner {
            extended: all_extended.unwrap_or_else(|| rng.random_bool(0.85)),
            knows_hint: rng.random_bool(0.8),
            longest_handling: Duration::from_millis([0, 0, 20][rng.random_range(0..3)]),
            idle_timeout: Limits::default().idle_timeout.duration(),
            streams: Arc::clone(&streams),
        };
        let servers = (0..servers)
            .map(|_| {
                let starts = if rng.random_bool(0.8) {
                    Duration::ZERO
                } else {
                    seconds(rng, 0.0, 4.0)
                };
                (manner(rng), starts)
            })
            .collect::<Vec<_>>();
        let clients = wanted
            .into_iter()
            .map(|streams| ClientSpec {
                manner: manner(rng),
                streams,
                timeout: if is_slow {
                    seconds(rng, 30.0, 60.0)
                } else {
                    seconds(rng, 5.0, 50.0)
                },
                pause: match rng.random_range(0..4) {
                    0 => Duration::from_micros(rng.random_range(0..60_000)),
                    _ => Duration::ZERO,
                },
                starts: seconds(rng, 0.0, 2.0),
            })
            .collect::<Vec<_>>();
        let mut schedule = Self {
            registry: RegistryManner {
                credential_seconds: 3600,
                loses_renewals: false,
            },
            streams: Arc::clone(&streams),
            servers,
            clients,
            faults: Vec::new(),
            rogues: Vec::new(),
            calls: Vec::new(),
            healed: Duration::from_secs(4),
            lost_servers: Vec::new(),
            slow_lanes,
        };
        if !is_slow || !rng.random_bool(SLOW_AND_WELL) {
            schedule.draw_faults(rng);
        }
        schedule.draw_idle_timeouts(rng);
        schedule.draw_calls(rng);
        schedule.draw_registry(rng);
        if !is_slow && rng.random_bool(ROGUE_RATIO) {
            schedule.draw_rogue(rng);
        }
        schedule
    }

    fn draw_rogue(&mut self, rng: &mut SmallRng) {
        let rogue = Rogue::draw(rng);
        if rng.random_bool(ROGUE_ALONE) {
            // Whatever is wrong then is its doing.
            self.faults.clear();
            self.lost_servers.clear();
        }
        self.healed = self.healed.max(Duration::from_secs(12));
        self.calls.push(rogue.calls.clone());
        self.rogues.push(rogue);
    }

    /// Drawn last, as all that follows, so that the rest of a seed's schedule does not depend on them.
    fn draw_idle_timeouts(&mut self, rng: &mut SmallRng) {
        // A closed connection waits two seconds for the peer; what is on its way in the network takes minutes here.
        let to_carry_all = self.to_carry_all();
        let is_slow = self.slow_lanes.is_some();
        let servers = self.servers.iter_mut().map(|(manner, _)| manner);
        for manner in servers.chain(self.clients.iter_mut().map(|client| &mut client.manner)) {
            manner.idle_timeout += to_carry_all;
            if !is_slow && rng.random_bool(0.3) {
                manner.idle_timeout = seconds(rng, 0.2, 5.0);
            }
        }
    }

    fn draw_calls(&mut self, rng: &mut SmallRng) {
        // Those that begin together may dial each other at once.
        let together = seconds(rng, 0.0, 10.0);
        let timeouts: Vec<_> = self.servers.iter().map(|(manner, _)| manner.idle_timeout).collect();
        for _ in 0..self.servers.len() + self.clients.len() {
            let starts = if rng.random_bool(0.5) {
                together
            } else {
                seconds(rng, 0.0, 10.0)
            };
            let timeout = timeouts[rng.random_range(0..timeouts.len())];
            let pause = match rng.random_range(0..4) {
                0 => seconds(rng, 0.0, 6.0),
                // So that the next call meets the end of the connection.
                _ => timeout.saturating_sub(seconds(rng, 0.0, 0.1)).min(LONGEST_PAUSE),
            };
            self.calls.push(CallPlan {
                starts,
                count: rng.random_range(0..8),
                pause,
                patience: rng.random_bool(0.2).then(|| seconds(rng, 0.0, 0.2)),
            });
        }
    }

    fn draw_registry(&mut self, rng: &mut SmallRng) {
        if rng.random_bool(0.5) {
            self.registry = RegistryManner {
                credential_seconds: rng.random_range(SHORTEST_CREDENTIAL..40),
                loses_renewals: rng.random_bool(0.5),
            };
        }
    }

    /// How long slow connections take for everything there is to carry, restarted after each fault.
    pub(crate) fn to_carry_all(&self) -> Duration {
        let Some(SlowLanes { rate, .. }) = self.slow_lanes else {
            return Duration::ZERO;
        };
        let bytes: u64 = self.streams.iter().map(StreamSpec::most_bytes).sum();
        Duration::from_secs((1 + self.faults.len() as u64) * (1 + bytes.div_ceil(rate)))
    }

    /// How long a client's streams may be without frames. Over a slow connection a first frame may stand behind others.
    pub(crate) fn limits(&self, client: &ClientSpec) -> resumption::Limits {
        resumption::Limits {
            timeout: client.timeout,
            first_frame: self.slow_lanes.map(|_| self.to_carry_all()),
            idle_timeout: None,
        }
    }

    /// How one behaves that breaks the protocol, beside that.
    pub(crate) fn rogue_manner(&self, rogue: &Rogue) -> Manner {
        Manner {
            extended: rogue.extended,
            knows_hint: true,
            longest_handling: Duration::ZERO,
            idle_timeout: Limits::default().idle_timeout.duration(),
            streams: Arc::clone(&self.streams),
        }
    }

    /// Whether all but rogues speak the extension.
    pub(crate) fn all_extended(&self) -> bool {
        let servers = self.servers.iter().map(|(manner, _)| manner);
        let mut all = servers.chain(self.clients.iter().map(|client| &client.manner));
        all.all(|manner| manner.extended)
    }

    /// How many hosts there are.
    pub(crate) fn hosts(&self) -> usize {
        self.first_rogue() + self.rogues.len()
    }

    pub(crate) fn first_rogue(&self) -> HostId {
        self.first_client() + self.clients.len()
    }

    pub(crate) fn first_client(&self) -> HostId {
        1 + self.servers.len()
    }

    fn draw_faults(&mut self, rng: &mut SmallRng) {
        let until = [3.0, 10.0, 30.0][rng.random_range(0..3)];
        for _ in 0..rng.random_range(0..10) {
            let at = seconds(rng, 0.0, until);
            let server = rng.random_range(1..self.first_client());
            let client = rng.random_range(self.first_client()..self.hosts());
            let registry_or_server = if rng.random_bool(0.3) { REGISTRY } else { server };
            let (fault, lasts) = match rng.random_range(0..23) {
                0..4 => {
                    let down = seconds(rng, 0.01, 20.0);
                    let (is_silent, moves) = (rng.random_bool(0.5), rng.random_bool(0.5));
                    let host = registry_or_server;
                    let crash = Fault::Crash {
                        host,
                        down,
                        is_silent,
                        moves: moves && host != REGISTRY,
                    };
                    (crash, down)
                }
                4..7 => {
                    let lasts = seconds(rng, 0.1, 20.0);
                    let host = rng.random_range(0..self.hosts());
                    (Fault::Pause { host, lasts }, lasts)
                }
                7..10 => {
                    let lasts = seconds(rng, 0.1, 20.0);
                    let a = rng.random_range(0..self.hosts());
                    let b = (a + rng.random_range(1..self.hosts())) % self.hosts();
                    (Fault::Partition { hosts: (a, b), lasts }, lasts)
                }
                10..16 => {
                    let (choice, manner) = (rng.random_range(0..1000), rng.random_range(0..4));
                    (Fault::Cut { choice, manner }, Duration::ZERO)
                }
                16..19 => {
                    let down = seconds(rng, 0.1, 10.0);
                    (Fault::Leave { host: server, down }, down + Duration::from_secs(15))
                }
                19..22 => (Fault::Renew { host: client }, Duration::ZERO),
                _ => {
                    let is_silent = rng.random_bool(0.5);
                    (
                        Fault::Vanish {
                            host: client,
                            is_silent,
                        },
                        Duration::ZERO,
                    )
                }
            };
            self.healed = self.healed.max(at + lasts);
            self.faults.push((at, fault));
        }
        if rng.random_bool(0.1) {
            // One server never comes back; it may be the only one.
            let host = rng.random_range(1..self.first_client());
            let at = seconds(rng, 0.0, until);
            self.lost_servers.push(host);
            let crash = Fault::Crash {
                host,
                down: Duration::MAX,
                is_silent: rng.random_bool(0.5),
                moves: false,
            };
            self.faults.push((at, crash));
            self.healed = self.healed.max(at);
        }
    }
}

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(lanes) = self.slow_lanes {
            writeln!(f, "connections between nodes: {lanes:?}")?;
        }
        writeln!(f, "host 0: the registry, {:?}", self.registry)?;
        for (number, (manner, starts)) in self.servers.iter().enumerate() {
            writeln!(
                f,
                "host {}: a server from {starts:?} on, extension {}, knows resume-after {}, idle timeout {:?}, {:?}",
                number + 1,
                manner.extended,
                manner.knows_hint,
                manner.idle_timeout,
                self.calls.get(number),
            )?;
        }
        for (number, client) in self.clients.iter().enumerate() {
            writeln!(
                f,
                "host {}: a client from {:?} on, extension {}, timeout {:?}, {:?} for a frame, idle timeout {:?}, {:?}",
                number + self.first_client(),
                client.starts,
                client.manner.extended,
                client.timeout,
                client.pause,
                client.manner.idle_timeout,
                self.calls.get(number + self.servers.len()),
            )?;
            for stream in &client.streams {
                writeln!(f, "    {:?}", self.streams.get(*stream))?;
            }
        }
        for (number, rogue) in self.rogues.iter().enumerate() {
            writeln!(f, "host {}: {rogue:?}", number + self.first_rogue())?;
        }
        let mut faults = self.faults.clone();
        faults.sort_by_key(|(at, _)| *at);
        for (at, fault) in faults {
            writeln!(f, "{at:?}: {fault:?}")?;
        }
        writeln!(f, "healed at {:?}", self.healed)
    }
}
