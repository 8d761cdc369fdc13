use actr_lite_wire::proto::{Ping, ServiceAvailabilityState};

/// How many steps a load has between idle and busy: coarse, because with the exact numbers the least loaded node of a
/// moment would get every client until its next heartbeat.
const STEPS: f32 = 4.0;

/// How loaded a node is, by its last heartbeat; lower is better. A node that has sent none counts as idle.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Load {
    availability: ServiceAvailabilityState,
    step: u8,
}

impl Load {
    /// None is lower.
    pub(super) const LEAST: Self = Self {
        availability: ServiceAvailabilityState::Full,
        step: 0,
    };

    /// A load from what a heartbeat tells: both shares go from 0 to 1, and a number outside of that counts as the
    /// nearest end, one that is none as the worst.
    pub fn new(availability: ServiceAvailabilityState, power_reserve: f32, mailbox_backlog: f32) -> Self {
        let busy = share(1.0 - power_reserve).max(share(mailbox_backlog));
        Self {
            availability,
            step: (busy * STEPS) as u8,
        }
    }

    /// How much of what it may do the node does, from 0 to 1.
    pub fn share(self) -> f32 {
        f32::from(self.step) / STEPS
    }

    /// How well the node says that it can serve.
    pub fn availability(self) -> ServiceAvailabilityState {
        self.availability
    }

    /// Whether the node says that it can serve at all. It may be wrong: official nodes on Linux say no when the machine
    /// has read and written half a GiB since it was started.
    pub fn can_serve(self) -> bool {
        self.availability != ServiceAvailabilityState::Unavailable
    }
}

fn share(number: f32) -> f32 {
    if number.is_nan() { 1.0 } else { number.clamp(0.0, 1.0) }
}

impl Default for Load {
    fn default() -> Self {
        Self::new(ServiceAvailabilityState::Full, 1.0, 0.0)
    }
}

impl From<&Ping> for Load {
    /// An availability that the protocol does not have counts as degraded: the node is there, and not as well as ever.
    fn from(ping: &Ping) -> Self {
        let availability =
            ServiceAvailabilityState::try_from(ping.availability).unwrap_or(ServiceAvailabilityState::Degraded);
        Self::new(availability, ping.power_reserve, ping.mailbox_backlog)
    }
}

#[cfg(test)]
mod tests {
    use ServiceAvailabilityState::{Degraded, Full, Overloaded, Unavailable};

    use actr_lite_registry_client::LoadReport;

    use super::*;

    #[test]
    fn availability_counts_before_the_shares() {
        let order = [
            Load::new(Full, 1.0, 0.0),
            Load::new(Full, 0.5, 0.0),
            Load::new(Full, 1.0, 1.0),
            Load::new(Degraded, 1.0, 0.0),
            Load::new(Overloaded, 1.0, 0.0),
            Load::new(Unavailable, 1.0, 0.0),
        ];
        assert!(order.is_sorted());
        assert_eq!(order.map(Load::can_serve), [true, true, true, true, true, false]);
    }

    #[test]
    fn loads_that_hardly_differ_are_equal() {
        assert_eq!(Load::new(Full, 0.99, 0.02), Load::default());
    }

    #[test]
    fn out_of_range_loads_are_clamped_and_nan_is_the_worst() {
        assert_eq!(Load::new(Full, f32::INFINITY, -7.0), Load::default());
        let worst = Load::new(Full, 0.0, 1.0);
        assert_eq!(Load::new(Full, f32::NAN, 0.0), worst);
        assert_eq!(Load::new(Full, 1.0, f32::NAN), worst);
        assert_eq!(Load::new(Full, 1.0, 1e30), worst);
    }

    #[test]
    fn an_unknown_availability_counts_as_degraded() {
        let ping = Ping {
            availability: 99,
            power_reserve: 1.0,
            mailbox_backlog: 0.0,
            sticky_client_ids: Vec::new(),
        };
        assert_eq!(Load::from(&ping), Load::new(Degraded, 1.0, 0.0));
    }

    #[test]
    fn the_registry_prefers_the_less_loaded() {
        let load = |report: LoadReport| Load::from(&Ping::from(report));
        let order = [
            LoadReport::IDLE,
            LoadReport::new(0.3, 0.0),
            LoadReport::new(0.0, 0.6),
            LoadReport::new(0.8, 0.0),
            LoadReport::new(1.0, 1.0),
            LoadReport::UNAVAILABLE,
        ]
        .map(load);
        assert!(order.is_sorted_by(|better, worse| better < worse), "{order:?}");
        assert_eq!(order.map(Load::can_serve), [true, true, true, true, true, false]);
    }
}
