use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use actr_lite_admin::event::Direction;
use actr_lite_engine::peers::pool::{self, Place, Sharing};
use actr_lite_wire::identity::ActrId;

use crate::session::{session::Session, session_handle::SessionHandle};

/// The open connections, by peer.
#[derive(Default)]
pub(super) struct Pool(Mutex<pool::Pool<OpenConnection>>);

/// An open connection, and what is shown of it.
#[derive(Clone)]
pub(crate) struct OpenConnection {
    pub(crate) session: Arc<Session>,
    pub(crate) direction: Direction,
    pub(crate) is_tls: bool,
}

/// A connection's place in the pool; dropping it takes the connection out.
pub(super) struct PoolPlace {
    pool: Arc<Pool>,
    place: Place,
}

impl Pool {
    fn lock(&self) -> MutexGuard<'_, pool::Pool<OpenConnection>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes a connection known.
    pub(super) fn enter(self: &Arc<Self>, connection: OpenConnection, sharing: Sharing) -> PoolPlace {
        let peer = connection.session.peer().clone();
        PoolPlace {
            pool: Arc::clone(self),
            place: self.lock().enter(peer, connection, sharing),
        }
    }

    /// An open connection to this peer that everybody may use.
    pub(super) fn find(&self, peer: &ActrId) -> Option<SessionHandle> {
        let begin = |open: &OpenConnection| open.session.is_open().then(|| SessionHandle::enter(&open.session))?;
        self.lock().find(peer, begin)
    }

    /// All that are open, each with a number that no other connection of this node has.
    pub(super) fn shown(&self) -> Vec<(u64, OpenConnection)> {
        let pool = self.lock();
        pool.numbered().map(|(number, open)| (number, open.clone())).collect()
    }

    /// All that are open.
    pub(super) fn all(&self) -> Vec<Arc<Session>> {
        self.lock().all().map(|open| Arc::clone(&open.session)).collect()
    }
}

impl Drop for PoolPlace {
    fn drop(&mut self) {
        let left = self.pool.lock().leave(&self.place);
        // What goes with it has locks of its own.
        drop(left);
    }
}
