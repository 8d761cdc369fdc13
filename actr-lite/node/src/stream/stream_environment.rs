use std::{sync::Arc, time::Duration};

use actr_lite_net::complaints::Complaints;

use crate::{
    limits::occupancy::Occupancy, stream::meters::Meters, tally::tally::Tally, tasks::Tasks, trace::tracer::Tracer,
};

/// What streams use of the node that they run on.
pub(crate) struct StreamEnvironment {
    pub(crate) tasks: Tasks,
    /// What is counted and logged about peers; the number of such lines is bounded.
    pub(crate) complaints: Complaints,
    pub(crate) occupancy: Arc<Occupancy>,
    /// The streams that run.
    pub(crate) meters: Arc<Meters>,
    /// What the node has done.
    pub(crate) tally: Arc<Tally>,
    /// Where what it does belongs in traces.
    pub(crate) tracer: Tracer,
}

impl StreamEnvironment {
    /// For a node with these tasks and limits.
    pub(crate) fn new(tasks: Tasks, occupancy: Arc<Occupancy>, tally: Arc<Tally>, tracer: Tracer) -> Arc<Self> {
        let complaints = Complaints::new("data lane", tasks.runtime().clone(), tasks.stop().clone());
        Arc::new(Self {
            tasks,
            complaints,
            occupancy,
            meters: Meters::new(Arc::clone(&tally)),
            tally,
            tracer,
        })
    }

    /// How long something may wait for a peer.
    pub(crate) fn stall_timeout(&self) -> Duration {
        self.occupancy.limits().stall_timeout.duration()
    }

    /// Whether the node shuts down.
    pub(crate) fn is_stopping(&self) -> bool {
        self.occupancy.draining().is_cancelled()
    }
}
