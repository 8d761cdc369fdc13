use std::{
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use actr_lite_wire::trace_context::TraceContext;

use crate::{
    session::{
        answer_hold::{AnswerHold, FirstTurn, LaneBatch},
        session_handle::SessionHandle,
    },
    stream::direct::DirectStreams,
};

/// The call that a context belongs to, or a program that acts without being called.
#[derive(Default)]
pub(crate) struct Call {
    /// The session that brought it; `None` for a call within the node.
    pub(crate) session: Option<SessionHandle>,
    pub(crate) metadata: Vec<(String, String)>,
    /// Its place in a trace; `None` where each call begins a trace of its own.
    pub(crate) trace: Option<TraceContext>,
    /// When the caller gives up.
    deadline: Option<Instant>,
    /// The handler has returned: what it spawned has no caller that waits.
    has_returned: AtomicBool,
    /// The streams that it has opened by sending their first frame.
    pub(crate) direct: DirectStreams,
    has_opened_stream: AtomicBool,
    /// From the first task on that the handler spawned after it had opened a stream.
    hold: OnceLock<Arc<AnswerHold>>,
}

impl Call {
    /// A call whose caller waits this long.
    pub(crate) fn new(
        session: Option<SessionHandle>,
        metadata: Vec<(String, String)>,
        timeout: Option<Duration>,
        trace: TraceContext,
    ) -> Self {
        Self {
            session,
            metadata,
            trace: Some(trace),
            deadline: timeout.and_then(|timeout| Instant::now().checked_add(timeout)),
            ..Self::default()
        }
    }

    /// No call, but what one has caused.
    pub(crate) fn caused_by(trace: Option<TraceContext>) -> Self {
        Self {
            trace,
            ..Self::default()
        }
    }

    /// How much longer the caller waits; `None` if nobody waits.
    pub(crate) fn left(&self) -> Option<Duration> {
        let deadline = self.deadline.filter(|_| !self.has_returned.load(Relaxed))?;
        Some(deadline.saturating_duration_since(Instant::now()))
    }

    /// The handler has returned.
    pub(crate) fn returned(&self) {
        self.has_returned.store(true, Relaxed);
    }

    /// The handler has opened a stream: a task that it spawns next will send it.
    pub(crate) fn opened_stream(&self) {
        self.has_opened_stream.store(true, Relaxed);
    }

    /// The first turn of a task that the handler spawns; `None` if it is not the first task after a stream was opened, or
    /// the call is the node's own.
    pub(crate) fn first_turn(&self) -> Option<FirstTurn> {
        let sends_stream = self.has_opened_stream.load(Relaxed) && self.hold.get().is_none();
        let session = self.session.as_ref().filter(|_| sends_stream)?;
        let (hold, first_turn) = AnswerHold::new(LaneBatch(Arc::clone(session.uplink().shared_lane())));
        self.hold.set(hold).is_ok().then_some(first_turn)
    }

    /// What the answer is to wait for.
    pub(crate) fn hold(&self) -> Option<Arc<AnswerHold>> {
        self.hold.get().cloned()
    }
}
