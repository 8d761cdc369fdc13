//! What is said about peers that misbehave: a count by kind, and a bounded number of lines in the log.

use std::{
    fmt::Display,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use actr_lite_tls::AcceptError;
use actr_lite_wire::{
    log_limit::{LogLimit, LogLine},
    misbehaviour::{Misbehaviour, MisbehaviourKind},
    peer_text::PeerText,
};
use tokio::{
    runtime::Handle,
    time::{Instant as TokioInstant, sleep_until},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::{
    debug,
    field::{DisplayValue, display},
    info, warn,
};

/// Writes a line with its fields, at a level that only a macro can be told.
macro_rules! line {
    ($level:ident, $place:expr, $kind:expr, $subject:expr, $remark:expr) => {
        $level!(
            place = $place,
            kind = $kind.map(MisbehaviourKind::word),
            peer = $subject.peer.map(escaped),
            route = $subject.route.map(escaped),
            stream = $subject.stream.map(escaped),
            frames = $subject.frames,
            reason = $subject.reason.map(escaped),
            "{}: {}",
            $place,
            PeerText::of($remark)
        )
    };
}

fn escaped(value: &dyn Display) -> DisplayValue<PeerText> {
    display(PeerText::of(value))
}

/// The complaints of one listener about its peers.
pub struct Complaints {
    place: &'static str,
    started: Instant,
    tasks: TaskTracker,
    stop: CancellationToken,
    state: Arc<Mutex<State>>,
}

/// What a line is about: its fields, beside the sentence. Each is escaped and cut before it is printed.
#[derive(Clone, Copy, Default)]
pub struct Subject<'a> {
    /// Who has caused it: an id or an address.
    pub peer: Option<&'a dyn Display>,
    /// What was called.
    pub route: Option<&'a dyn Display>,
    /// The stream.
    pub stream: Option<&'a dyn Display>,
    /// How many frames it had.
    pub frames: Option<u64>,
    /// Why.
    pub reason: Option<&'a dyn Display>,
}

impl<'a> Subject<'a> {
    /// Something that this one has caused.
    pub fn of(peer: &'a dyn Display) -> Self {
        Self {
            peer: Some(peer),
            ..Self::default()
        }
    }

    /// The same with the reason.
    pub fn because(self, reason: &'a dyn Display) -> Self {
        Self {
            reason: Some(reason),
            ..self
        }
    }
}

#[derive(Default)]
struct State {
    misbehaviour: Misbehaviour,
    limit: LogLimit,
}

impl Complaints {
    /// Complaints about the peers of `place`, as the log calls it. Summaries are written by tasks of `tasks`, which end
    /// when `stop` is cancelled.
    pub fn new(place: &'static str, tasks: TaskTracker, stop: CancellationToken) -> Self {
        Self {
            place,
            started: Instant::now(),
            tasks,
            stop,
            state: Arc::default(),
        }
    }

    /// Counts a connection that misbehaved, and says in the log whose and how: once a connection, before it is ended.
    pub fn about(&self, kind: MisbehaviourKind, peer: &dyn Display, reason: &dyn Display) {
        // The line explains the count.
        let subject = Subject::of(peer).because(reason);
        self.say(Some(kind), subject, &format_args!("{kind} from {peer}: {reason}"));
        lock(&self.state).misbehaviour.count(kind);
    }

    /// The same of a peer whose TLS handshake failed. One that does not accept this side's certificate does no wrong,
    /// but an operator should know; one that said nothing is not worth a line.
    pub fn about_handshake(&self, peer: &dyn Display, reason: &AcceptError) {
        let kind = MisbehaviourKind::FailedHandshake;
        match reason {
            AcceptError::Silent => {}
            AcceptError::CertificateRefused(_) => {
                let subject = Subject::of(peer).because(reason);
                self.remark(subject, &format_args!("{kind} from {peer}: {reason}"));
            }
            reason => self.about(kind, peer, reason),
        }
    }

    /// Logs something else about a peer that is no reason to end its connection.
    pub fn remark(&self, subject: Subject<'_>, remark: &dyn Display) {
        self.say(None, subject, remark);
    }

    fn say(&self, kind: Option<MisbehaviourKind>, subject: Subject<'_>, remark: &dyn Display) {
        let place = self.place;
        let line = lock(&self.state).limit.line(self.started.elapsed());
        match line {
            LogLine::Written => line!(warn, place, kind, subject, remark),
            LogLine::Counted { sum_up_at } => {
                line!(debug, place, kind, subject, remark);
                if let Some(at) = sum_up_at {
                    self.sum_up_at(TokioInstant::from_std(self.started + at));
                }
            }
        }
    }

    fn sum_up_at(&self, at: TokioInstant) {
        // Outside of a runtime there is no timer for the summary; it is then logged at the end.
        let Ok(runtime) = Handle::try_current() else { return };
        let (place, stop, state) = (self.place, self.stop.clone(), Arc::clone(&self.state));
        let sum_up = async move {
            tokio::select! {
                () = sleep_until(at) => {}
                () = stop.cancelled() => {}
            }
            sum_up(place, &state);
        };
        self.tasks.spawn_on(sum_up, &runtime);
    }

    /// How many connections have misbehaved so far.
    pub fn misbehaviour(&self) -> Misbehaviour {
        lock(&self.state).misbehaviour
    }

    /// Says in the log how many have misbehaved altogether, if any did.
    pub fn conclude(&self) {
        sum_up(self.place, &self.state);
        let misbehaviour = self.misbehaviour();
        if misbehaviour.total() > 0 {
            let (place, total) = (self.place, misbehaviour.total());
            info!(place, total, "{place}: connections that misbehaved: {misbehaviour}");
        }
    }
}

fn sum_up(place: &str, state: &Mutex<State>) {
    let counted = lock(state).limit.sum_up();
    if let Some(more) = counted {
        warn!(place, more, "{place}: and {more} more lines like these");
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn every_connection_is_counted_however_little_is_written() {
        let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
        let complaints = Complaints::new("test", tasks.clone(), stop.clone());
        for _ in 0..1000 {
            complaints.about(MisbehaviourKind::RefusedUpgrade, &"somebody", &"no reason");
        }
        assert_eq!(complaints.misbehaviour().refused_upgrades, 1000);
        assert_eq!(tasks.len(), 1, "one task sums up");
        stop.cancel();
        tasks.close();
        tasks.wait().await;
        assert_eq!(lock(&complaints.state).limit.sum_up(), None, "it was summed up");
    }
}
