use std::{
    pin::pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use actr_lite_engine::peers::dials::{self, Turn, Waiter};
use actr_lite_net::DialProgress;
use actr_lite_wire::identity::{ActrId, ActrType};
use tokio::sync::Notify;

use crate::{error::actr_error::ActrError, session::session::Session};

/// What all who wait for a connection learn.
type Outcome = Result<Arc<Session>, ActrError>;

/// The connections that are being made.
#[derive(Default)]
pub(super) struct Dials(Mutex<dials::Dials<Arc<SharedDial>, Outcome>>);

/// The making of a connection, for all who wait for it.
#[derive(Default)]
struct SharedDial {
    progress: DialProgress,
    /// Somebody has dialled, or has left.
    changed: Notify,
}

/// One who waits for a connection; dropping it is leaving.
pub(super) struct Dialing<'a> {
    dials: &'a Dials,
    waiter: Waiter,
    dial: Arc<SharedDial>,
}

impl Dials {
    fn lock(&self) -> MutexGuard<'_, dials::Dials<Arc<SharedDial>, Outcome>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits with those who wait for a connection to this peer, or as the first.
    pub(super) fn join(&self, peer: &ActrId) -> Dialing<'_> {
        let mut dials = self.lock();
        let waiter = dials.join(peer);
        let dial = dials.progress(waiter).map(Arc::clone).unwrap_or_default();
        Dialing {
            dials: self,
            waiter,
            dial,
        }
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

impl Dialing<'_> {
    /// What comes of it: of `dial`, if it is this one's turn, or of another's.
    ///
    /// # Cancel safety
    /// If this is dropped while it dials, the next one does.
    pub(super) async fn outcome<Dial>(&self, dial: impl FnOnce() -> Dial) -> Outcome
    where
        Dial: Future<Output = Outcome>,
    {
        loop {
            let mut changed = pin!(self.dial.changed.notified());
            changed.as_mut().enable();
            let turn = self.dials.lock().turn(self.waiter);
            match turn {
                Turn::Over(outcome) => return outcome,
                Turn::Wait => changed.await,
                Turn::Dial => {
                    let outcome = dial().await;
                    self.dials.lock().conclude(self.waiter, outcome.clone());
                    self.dial.changed.notify_waiters();
                    return outcome;
                }
            }
        }
    }

    /// How far the connection is.
    pub(super) fn progress(&self) -> &DialProgress {
        &self.dial.progress
    }
}

impl Drop for Dialing<'_> {
    fn drop(&mut self) {
        let is_anothers_turn = self.dials.lock().leave(self.waiter);
        if is_anothers_turn {
            self.dial.changed.notify_waiters();
        }
    }
}
