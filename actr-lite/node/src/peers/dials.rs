use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use actr_lite_net::DialProgress;
use actr_lite_wire::identity::{ActrId, ActrType};
use tokio::sync::OnceCell;

use crate::{error::actr_error::ActrError, session::session::Session};

/// The connections that are being made.
#[derive(Default)]
pub(super) struct Dials(Mutex<HashMap<ActrId, Arc<SharedDial>>>);

/// The making of a connection, for all who wait for it.
#[derive(Default)]
pub(super) struct SharedDial {
    pub(super) outcome: OnceCell<Result<Arc<Session>, ActrError>>,
    pub(super) progress: DialProgress,
}

/// One who waits for a connection; the last of them takes the entry away, also when it is dropped.
pub(super) struct Dialing<'a> {
    dials: &'a Dials,
    peer: &'a ActrId,
    pub(super) dial: Arc<SharedDial>,
}

impl Dials {
    fn lock(&self) -> MutexGuard<'_, HashMap<ActrId, Arc<SharedDial>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits with those who wait for a connection to this peer, or as the first.
    pub(super) fn join<'a>(&'a self, peer: &'a ActrId) -> Dialing<'a> {
        let dial = Arc::clone(self.lock().entry(peer.clone()).or_default());
        Dialing {
            dials: self,
            peer,
            dial,
        }
    }

    /// The step at which the connection to this peer is that is being made, if one is.
    pub(super) fn standing(&self, peer: &ActrId) -> Option<String> {
        self.lock().get(peer)?.progress.standing(Duration::ZERO)
    }

    /// A node of this type to which a connection is being made, and at which step that is.
    pub(super) fn to_type(&self, actr_type: &ActrType) -> Option<(ActrId, String)> {
        self.lock().iter().find_map(|(peer, dial)| {
            let step = dial.progress.standing(Duration::ZERO)?;
            (peer.actr_type() == actr_type).then(|| (peer.clone(), step))
        })
    }
}

impl Drop for Dialing<'_> {
    fn drop(&mut self) {
        let mut dials = self.dials.lock();
        let is_known = dials.get(self.peer).is_some_and(|dial| Arc::ptr_eq(dial, &self.dial));
        // Whoever comes now finds the connection, or is to make another try.
        if is_known && (self.dial.outcome.initialized() || Arc::strong_count(&self.dial) == 2) {
            dials.remove(self.peer);
        }
    }
}
