use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use actr_lite_engine::peers::pool::{self, Place, Sharing};
use actr_lite_wire::identity::ActrId;

use crate::session::{session::Session, session_handle::SessionHandle};

/// The open connections, by peer.
#[derive(Default)]
pub(super) struct Pool(Mutex<pool::Pool<Arc<Session>>>);

/// A connection's place in the pool; dropping it takes the connection out.
pub(super) struct PoolPlace {
    pool: Arc<Pool>,
    place: Place,
}

impl Pool {
    fn lock(&self) -> MutexGuard<'_, pool::Pool<Arc<Session>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes a connection's session known.
    pub(super) fn enter(self: &Arc<Self>, session: &Arc<Session>, sharing: Sharing) -> PoolPlace {
        let peer = session.peer().clone();
        PoolPlace {
            pool: Arc::clone(self),
            place: self.lock().enter(peer, Arc::clone(session), sharing),
        }
    }

    /// An open connection to this peer that everybody may use.
    pub(super) fn find(&self, peer: &ActrId) -> Option<SessionHandle> {
        let begin = |session: &Arc<Session>| session.is_open().then(|| SessionHandle::enter(session))?;
        self.lock().find(peer, begin)
    }

    /// All that are open.
    pub(super) fn all(&self) -> Vec<Arc<Session>> {
        self.lock().all().cloned().collect()
    }
}

impl Drop for PoolPlace {
    fn drop(&mut self) {
        let left = self.pool.lock().leave(&self.place);
        // What goes with it has locks of its own.
        drop(left);
    }
}
