use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use actr_lite_admin::event::Direction;
use actr_lite_wire::identity::ActrId;

use crate::session::{session::Session, session_handle::SessionHandle};

/// The open connections, by peer.
#[derive(Default)]
pub(super) struct Pool {
    by_peer: Mutex<HashMap<ActrId, Vec<Pooled>>>,
    entered: AtomicU64,
}

/// The latest of a peer's comes last, and is the one that new calls take.
struct Pooled {
    session: Arc<Session>,
    sharing: Sharing,
    number: u64,
    direction: Direction,
    is_tls: bool,
}

/// An open connection, as it is shown.
pub(crate) struct OpenConnection {
    /// No other connection of this node has it.
    pub(crate) number: u64,
    pub(crate) session: Arc<Session>,
    pub(crate) direction: Direction,
    pub(crate) is_tls: bool,
}

/// Who may use a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sharing {
    /// Every call to the peer.
    Shared,
    /// Whoever has its handle.
    Own,
}

/// A connection's place in the pool; dropping it takes the connection out.
pub(super) struct PoolPlace {
    pool: Arc<Pool>,
    session: Arc<Session>,
}

impl Pool {
    fn lock(&self) -> MutexGuard<'_, HashMap<ActrId, Vec<Pooled>>> {
        self.by_peer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes a connection's session known.
    pub(super) fn enter(
        self: &Arc<Self>,
        session: &Arc<Session>,
        sharing: Sharing,
        direction: Direction,
        is_tls: bool,
    ) -> PoolPlace {
        let pooled = Pooled {
            session: Arc::clone(session),
            sharing,
            number: self.entered.fetch_add(1, Relaxed) + 1,
            direction,
            is_tls,
        };
        self.lock().entry(session.peer().clone()).or_default().push(pooled);
        PoolPlace {
            pool: Arc::clone(self),
            session: Arc::clone(session),
        }
    }

    /// An open connection to this peer that everybody may use.
    pub(super) fn find(&self, peer: &ActrId) -> Option<SessionHandle> {
        let by_peer = self.lock();
        let mut latest_first = by_peer.get(peer)?.iter().rev();
        latest_first.find_map(|Pooled { session, sharing, .. }| {
            let is_usable = *sharing == Sharing::Shared && session.is_open();
            is_usable.then(|| SessionHandle::enter(session))?
        })
    }

    /// All that are open, as they are shown.
    pub(super) fn shown(&self) -> Vec<OpenConnection> {
        let by_peer = self.lock();
        let shown = by_peer.values().flatten().map(|pooled| OpenConnection {
            number: pooled.number,
            session: Arc::clone(&pooled.session),
            direction: pooled.direction,
            is_tls: pooled.is_tls,
        });
        shown.collect()
    }

    /// All that are open.
    pub(super) fn all(&self) -> Vec<Arc<Session>> {
        let by_peer = self.lock();
        let pooled = by_peer.values().flatten();
        pooled.map(|pooled| Arc::clone(&pooled.session)).collect()
    }
}

impl Drop for PoolPlace {
    fn drop(&mut self) {
        let mut by_peer = self.pool.lock();
        let peer = self.session.peer();
        if let Some(pooled) = by_peer.get_mut(peer) {
            pooled.retain(|other| !Arc::ptr_eq(&other.session, &self.session));
            if pooled.is_empty() {
                by_peer.remove(peer);
            }
        }
    }
}
