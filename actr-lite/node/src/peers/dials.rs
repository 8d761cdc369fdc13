use std::{
    pin::pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use actr_lite_engine::peers::dials::{self, DialId};
use actr_lite_net::DialProgress;
use actr_lite_wire::identity::{ActrId, ActrType};
use tokio::sync::Notify;

use crate::{error::actr_error::ActrError, session::session::Session};

/// What all who wait for a connection learn.
pub(super) type Outcome = Result<Arc<Session>, ActrError>;

/// The connections that are being made.
#[derive(Default)]
pub(super) struct Dials(Mutex<dials::Dials<Arc<SharedDial>, Outcome>>);

/// The making of a connection, for all who wait for it.
#[derive(Default)]
struct SharedDial {
    progress: DialProgress,
    /// It has come to its end, or nobody waits for it any more.
    over: Notify,
}

/// One who waits for a connection; dropping it is leaving.
pub(super) struct Waiting<'a> {
    dials: &'a Dials,
    id: DialId,
    dial: Arc<SharedDial>,
}

/// A connection that is being made. Dropped before that has come to its end, it has failed.
pub(super) struct Dialling {
    dials: Arc<Dials>,
    id: DialId,
    dial: Arc<SharedDial>,
}

impl Dials {
    fn lock(&self) -> MutexGuard<'_, dials::Dials<Arc<SharedDial>, Outcome>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for a connection to this peer; also the dial, if it is to begin now.
    pub(super) fn join(self: &Arc<Self>, peer: &ActrId) -> (Waiting<'_>, Option<Dialling>) {
        let mut dials = self.lock();
        let (id, is_new) = dials.join(peer);
        let dial = dials.progress(id).map(Arc::clone).unwrap_or_default();
        let dialling = is_new.then(|| Dialling {
            dials: Arc::clone(self),
            id,
            dial: Arc::clone(&dial),
        });
        (Waiting { dials: self, id, dial }, dialling)
    }

    /// The step at which the connection to this peer is that is being made, if one is.
    pub(super) fn standing(&self, peer: &ActrId) -> Option<String> {
        self.lock().progress_to(peer)?.progress.standing(Duration::ZERO)
    }

    /// A node of this type to which a connection is being made, and at which step that is.
    pub(super) fn to_type(&self, actr_type: &ActrType) -> Option<(ActrId, String)> {
        self.lock().all().find_map(|(peer, dial)| {
            let step = dial.progress.standing(Duration::ZERO)?;
            (peer.actr_type() == actr_type).then(|| (peer.clone(), step))
        })
    }
}

impl Waiting<'_> {
    /// Waits for what comes of it.
    pub(super) async fn outcome(&self) -> Outcome {
        loop {
            let mut over = pin!(self.dial.over.notified());
            over.as_mut().enable();
            let outcome = self.dials.lock().outcome(self.id).cloned();
            match outcome {
                Some(outcome) => return outcome,
                None => over.await,
            }
        }
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        // A session is dropped when the lock is free.
        let unwanted = self.dials.lock().leave(self.id);
        drop(unwanted);
        self.dial.over.notify_waiters();
    }
}

impl Dialling {
    /// How far it is.
    pub(super) fn progress(&self) -> &DialProgress {
        &self.dial.progress
    }

    /// Whether the peer may be asked for the connection now: then this is to go on, whoever waits.
    pub(super) fn may_ask(&self) -> bool {
        self.dials.lock().may_ask(self.id)
    }

    /// Completes when nobody waits for it, and the peer was not asked.
    pub(super) async fn dropped(&self) {
        loop {
            let mut over = pin!(self.dial.over.notified());
            over.as_mut().enable();
            if self.dials.lock().is_dropped(self.id) {
                return;
            }
            over.await;
        }
    }

    /// This has come of it.
    pub(super) fn conclude(&self, outcome: Outcome) {
        let unwanted = self.dials.lock().conclude(self.id, outcome);
        drop(unwanted);
        self.dial.over.notify_waiters();
    }
}

impl Drop for Dialling {
    fn drop(&mut self) {
        self.conclude(Err(ActrError::Stopping));
    }
}
