use std::{fmt, time::Duration};

use rand::{RngExt as _, rngs::SmallRng};

/// For how long something goes wrong.
const TROUBLE: f64 = 60.0;

/// In which schedules nothing is lost, late or gone: both only want sessions, and are told to offer, now and then at once.
/// How long a signal takes there at most.
const MILD_RATIO: f64 = 0.2;
const MILD_SIGNAL_DELAY: f64 = 0.8;

/// What goes wrong.
#[derive(Debug, Clone, Copy)]
pub(super) enum Fault {
    /// Nothing gets through between the two.
    Partition { lasts: Duration },
    /// So many of a thousand packets are lost, and as many doubled; all are late by up to so much.
    BadNetwork {
        lasts: Duration,
        of_thousand: u32,
        late: Duration,
    },
    /// So many of a thousand signals are lost, and as many doubled; all are late by up to so much, each by itself.
    BadRelay {
        lasts: Duration,
        of_thousand: u32,
        late: Duration,
    },
    /// The registry passes nothing on.
    NoRelay { lasts: Duration },
    /// A node is gone, and comes back with no memory of its sessions.
    Crash { host: usize, down: Duration },
    /// A node's addresses are no longer its own.
    Move { host: usize },
    /// A node closes the session, and wants one again so much later.
    Close { host: usize, pause: Duration },
    /// A node wants a session, whatever it has.
    Want { host: usize },
    /// The registry tells both, or one of them, to offer.
    Glare { only: Option<usize> },
    /// Connections that are made never shake hands: at both ends, or at one.
    Stuck { lasts: Duration, only: Option<usize> },
    /// A node looks for another path, though it has one.
    Restart { host: usize },
}

/// Everything that is drawn before a schedule starts.
#[derive(Debug)]
pub(super) struct Schedule {
    /// How long a packet and a signal take at least.
    pub(super) packet_delay: Duration,
    pub(super) signal_delay: Duration,
    /// Who offers, by what the registry says: one of them, or now this one, now that one.
    pub(super) offerer: Option<usize>,
    /// Who wants a session whenever there is none, and when they start to.
    pub(super) wants: [Option<Duration>; 2],
    pub(super) faults: Vec<(Duration, Fault)>,
    /// When nothing goes wrong any more.
    pub(super) healed: Duration,
    /// Nothing goes wrong at all, and sessions that do not come at once are a fault of who decides.
    pub(super) is_mild: bool,
}

fn seconds(rng: &mut SmallRng, from: f64, to: f64) -> Duration {
    Duration::from_secs_f64(rng.random_range(from..to))
}

impl Schedule {
    pub(super) fn draw(rng: &mut SmallRng) -> Self {
        let mut wants = [0, 1].map(|_| rng.random_bool(0.7).then(|| seconds(rng, 0.0, 3.0)));
        if wants == [None, None] {
            wants[rng.random_range(0..2)] = Some(Duration::ZERO);
        }
        if wants[0].is_some() && rng.random_bool(0.2) {
            wants[1] = wants[0];
        }
        let is_mild = rng.random_bool(MILD_RATIO);
        let mut schedule = Self {
            is_mild,
            packet_delay: seconds(rng, 0.0005, 0.15),
            signal_delay: seconds(rng, 0.001, if is_mild { MILD_SIGNAL_DELAY } else { 0.2 }),
            offerer: rng.random_bool(0.8).then(|| rng.random_range(0..2)),
            wants,
            faults: Vec::new(),
            healed: Duration::from_secs(3),
        };
        for _ in 0..rng.random_range(0..8) {
            let at = seconds(rng, 0.0, TROUBLE);
            let fault = Fault::draw(is_mild, rng);
            schedule.healed = schedule.healed.max(at + fault.lasts());
            schedule.faults.push((at, fault));
            // What goes wrong does so twice at once, as a rule.
            if rng.random_bool(0.3) {
                let (at, fault) = (at + seconds(rng, 0.0, 2.0), Fault::draw(is_mild, rng));
                schedule.healed = schedule.healed.max(at + fault.lasts());
                schedule.faults.push((at, fault));
            }
        }
        schedule
    }
}

impl Fault {
    fn draw(is_mild: bool, rng: &mut SmallRng) -> Self {
        let host = rng.random_range(0..2);
        let only = rng.random_bool(0.5).then_some(host);
        let of_thousand = rng.random_range(10..400);
        match rng.random_range(if is_mild { 10..12 } else { 0..13 }) {
            0 => Self::Partition {
                lasts: seconds(rng, 0.1, 15.0),
            },
            1 => Self::BadNetwork {
                lasts: seconds(rng, 1.0, 20.0),
                of_thousand,
                late: seconds(rng, 0.0, 2.0),
            },
            2 => Self::BadRelay {
                lasts: seconds(rng, 1.0, 20.0),
                of_thousand,
                late: seconds(rng, 0.0, 2.0),
            },
            3 => Self::BadRelay {
                lasts: seconds(rng, 1.0, 20.0),
                of_thousand: 0,
                late: seconds(rng, 1.0, 15.0),
            },
            4 => Self::NoRelay {
                lasts: seconds(rng, 0.1, 20.0),
            },
            5 => Self::Crash {
                host,
                down: seconds(rng, 0.01, 20.0),
            },
            6 => Self::Move { host },
            7 => Self::Close {
                host,
                pause: seconds(rng, 0.0, 3.0),
            },
            8 => Self::Restart { host },
            9 => Self::Stuck {
                lasts: seconds(rng, 0.1, 10.0),
                only,
            },
            10 => Self::Want { host },
            _ => Self::Glare { only },
        }
    }

    /// For how long it can be felt.
    fn lasts(self) -> Duration {
        match self {
            Self::Partition { lasts } | Self::NoRelay { lasts } | Self::Stuck { lasts, .. } => lasts,
            Self::BadNetwork { lasts, late, .. } | Self::BadRelay { lasts, late, .. } => lasts + late,
            Self::Crash { down, .. } => down,
            Self::Close { pause, .. } => pause,
            Self::Move { .. } | Self::Want { .. } | Self::Glare { .. } | Self::Restart { .. } => Duration::ZERO,
        }
    }
}

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "packets take {:?}, signals {:?}; {:?} offers; {:?} are when sessions are wanted; healed at {:?}",
            self.packet_delay, self.signal_delay, self.offerer, self.wants, self.healed
        )?;
        for (at, fault) in &self.faults {
            writeln!(f, "{at:?}: {fault:?}")?;
        }
        Ok(())
    }
}
