use std::{fmt, sync::Arc};

use actr_lite_wire::proto::{Ping, ServiceAvailabilityState};

/// From which share in use on a node is degraded: others are then better candidates, and it is one still.
const DEGRADED_ABOVE: f32 = 0.75;

/// How well a node can serve, as its heartbeats tell the registry.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LoadReport {
    availability: ServiceAvailabilityState,
    power_reserve: f32,
    mailbox_backlog: f32,
}

impl LoadReport {
    /// Nothing to do.
    pub const IDLE: Self = Self {
        availability: ServiceAvailabilityState::Full,
        power_reserve: 1.0,
        mailbox_backlog: 0.0,
    };

    /// A node that takes nothing new: the registry names it to nobody.
    pub const UNAVAILABLE: Self = Self {
        availability: ServiceAvailabilityState::Unavailable,
        power_reserve: 0.0,
        mailbox_backlog: 1.0,
    };

    /// A node that does `streams` of the most streams and `calls` of the most calls that it may: shares from 0 to 1. It
    /// is degraded from three quarters of either on, and overloaded when either is all in use.
    pub fn new(streams: f32, calls: f32) -> Self {
        let share = |share: f32| if share.is_nan() { 1.0 } else { share.clamp(0.0, 1.0) };
        let (streams, calls) = (share(streams), share(calls));
        let availability = match streams.max(calls) {
            busy if busy >= 1.0 => ServiceAvailabilityState::Overloaded,
            busy if busy > DEGRADED_ABOVE => ServiceAvailabilityState::Degraded,
            _ => ServiceAvailabilityState::Full,
        };
        Self {
            availability,
            power_reserve: 1.0 - streams,
            mailbox_backlog: calls,
        }
    }
}

impl From<LoadReport> for Ping {
    fn from(report: LoadReport) -> Self {
        Self {
            availability: report.availability.into(),
            power_reserve: report.power_reserve,
            mailbox_backlog: report.mailbox_backlog,
            sticky_client_ids: Vec::new(),
        }
    }
}

/// Where a link gets what its heartbeats tell. It is asked whenever the link looks at
/// what is to be done, at least once a heartbeat, and must not block.
#[derive(Clone)]
pub struct LoadSource(Arc<dyn Fn() -> LoadReport + Send + Sync>);

impl LoadSource {
    /// What this says at the moment.
    pub fn new(report: impl Fn() -> LoadReport + Send + Sync + 'static) -> Self {
        Self(Arc::new(report))
    }

    pub(crate) fn report(&self) -> LoadReport {
        (self.0)()
    }
}

impl Default for LoadSource {
    /// [`LoadReport::IDLE`], always.
    fn default() -> Self {
        Self::new(|| LoadReport::IDLE)
    }
}

impl fmt::Debug for LoadSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("LoadSource").field(&self.report()).finish()
    }
}

#[cfg(test)]
mod tests {
    use ServiceAvailabilityState::{Degraded, Full, Overloaded};

    use super::*;

    #[test]
    fn a_node_is_degraded_above_three_quarters_of_its_limit() {
        for (streams, calls, availability) in [
            (0.0, 0.0, Full),
            (0.75, 0.75, Full),
            (0.76, 0.0, Degraded),
            (0.0, 0.99, Degraded),
            (1.0, 0.0, Overloaded),
            (0.0, 2.0, Overloaded),
            (f32::NAN, 0.0, Overloaded),
        ] {
            let report = LoadReport::new(streams, calls);
            assert_eq!(report.availability, availability, "{streams} {calls}");
        }
        let report = LoadReport::new(0.25, 0.5);
        assert_eq!((report.power_reserve, report.mailbox_backlog), (0.75, 0.5));
        assert_eq!(LoadReport::new(0.0, 0.0), LoadReport::IDLE);
    }
}
