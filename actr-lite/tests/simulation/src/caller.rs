use std::time::Duration;

use actr_lite_wire::identity::ActrId;

use crate::exchange::{ExchangeId, NoAnswer};

/// Some calls of a node to one server, one after the other.
#[derive(Debug, Clone)]
pub(crate) struct CallPlan {
    /// When the node asks whom to call, after its start.
    pub(crate) starts: Duration,
    pub(crate) count: u64,
    /// What lies between an answer and the next call.
    pub(crate) pause: Duration,
    /// After how long a call is cancelled.
    pub(crate) patience: Option<Duration>,
}

#[derive(Debug)]
pub(crate) enum Stage {
    /// Asks at this time.
    Planned(Duration),
    Discovering {
        number: u64,
        until: Duration,
    },
    /// Calls the server at this time.
    Pausing(ActrId, Duration),
    Calling {
        server: ActrId,
        exchange: ExchangeId,
        since: Duration,
        cancel_at: Option<Duration>,
    },
    Over,
}

/// A node's calls that are no requests for streams.
#[derive(Debug)]
pub(crate) struct Caller {
    pub(crate) plan: CallPlan,
    pub(crate) stage: Stage,
    pub(crate) made: u64,
    /// How the first call failed that did, and how long that took.
    pub(crate) failed: Option<(NoAnswer, Duration)>,
}

impl Caller {
    pub(crate) fn new(plan: CallPlan, now: Duration) -> Self {
        Self {
            stage: match plan.count {
                0 => Stage::Over,
                _ => Stage::Planned(now + plan.starts),
            },
            plan,
            made: 0,
            failed: None,
        }
    }
}
