use std::time::Duration;

use actr_lite_webrtc::negotiation::Negotiation;

use crate::webrtc::{application::Application, connection::Connection};

/// One of the two nodes.
pub(super) struct Host {
    pub(super) negotiation: Negotiation,
    pub(super) connection: Option<Connection>,
    pub(super) application: Application,
    /// Counts its starts.
    pub(super) life: u64,
    pub(super) is_up: bool,
    /// When the peer has all that was sent.
    pub(super) drained: Duration,
    /// When it has its next turn.
    pub(super) wake: Option<Duration>,
    /// Since when its connection has had a path, and no channels.
    pub(super) half_open: Option<(u64, Duration)>,
    /// Since when its session has been without one of the peer's.
    pub(super) alone: Option<Duration>,
}

impl Host {
    pub(super) fn new(number: usize, life: u64, wants: bool) -> Self {
        Self {
            negotiation: Negotiation::new(number == 0, life << 8 | number as u64),
            connection: None,
            application: Application::new(wants),
            life,
            is_up: true,
            drained: Duration::ZERO,
            wake: None,
            half_open: None,
            alone: None,
        }
    }

    /// Whether these two have a session with each other.
    pub(super) fn is_joined_with(&self, other: &Self) -> bool {
        let joined = |one: &Connection, other: &Connection| one.peer == Some(other.own);
        self.is_up
            && other.is_up
            && self.negotiation.has_path()
            && other.negotiation.has_path()
            && self
                .connection
                .as_ref()
                .zip(other.connection.as_ref())
                .is_some_and(|(one, two)| joined(one, two) && joined(two, one))
    }
}
