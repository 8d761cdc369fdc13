use std::sync::Arc;

use actr_lite_wire::identity::ActrId;

use crate::{
    actor::local_calls::LocalCalls,
    contracts::discovery::Discovery,
    limits::occupancy::Occupancy,
    peers::peers::Peers,
    session::session_environment::SessionEnvironment,
    stream::{stream_environment::StreamEnvironment, subscriptions::Subscriptions},
    tasks::Tasks,
};

/// A running actor, as its contexts and its handle use it. What lies below knows only its own part.
pub(crate) struct Actor {
    pub(crate) local: Arc<dyn LocalCalls>,
    pub(crate) peers: Arc<Peers>,
    pub(crate) discovery: Discovery,
    pub(crate) sessions: Arc<SessionEnvironment>,
}

impl Actor {
    /// This node's id: a new one after each registration.
    pub(crate) fn id(&self) -> ActrId {
        self.sessions.access.own_id()
    }

    /// The streams that it receives.
    pub(crate) fn subscriptions(&self) -> &Arc<Subscriptions> {
        &self.sessions.subscriptions
    }

    /// What its streams use of it.
    pub(crate) fn streams(&self) -> &StreamEnvironment {
        &self.sessions.streams
    }

    pub(crate) fn tasks(&self) -> &Tasks {
        &self.streams().tasks
    }

    /// Its limits, and how much of them is used.
    pub(crate) fn occupancy(&self) -> &Occupancy {
        &self.streams().occupancy
    }
}
