use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use actr_lite_wire::{
    identity::ActrId,
    websocket::{CloseCode, Role},
};
use tokio::time::sleep;

use crate::{
    ActrError,
    lane::websocket::{Connection, Upgraded, dial},
    node_state::NodeState,
    session::Session,
};

/// How long connections may take to send what they have when the node stops, before they are dropped.
const CLOSE_GRACE: Duration = Duration::from_secs(3);

/// The open connections, by peer.
#[derive(Default)]
pub(crate) struct Sessions {
    /// The latest comes last, and is the one that new calls take.
    by_peer: Mutex<HashMap<ActrId, Vec<Arc<Session>>>>,
    /// Held by whoever dials a peer, so that two calls at once make one connection.
    dialing: Mutex<HashMap<ActrId, Arc<tokio::sync::Mutex<()>>>>,
}

impl Sessions {
    fn lock(&self) -> MutexGuard<'_, HashMap<ActrId, Vec<Arc<Session>>>> {
        self.by_peer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// An open connection to this peer.
    fn find(&self, peer: &ActrId) -> Option<Arc<Session>> {
        self.lock()
            .get(peer)?
            .iter()
            .rev()
            .find(|session| session.is_shared() && session.is_open())
            .cloned()
    }

    /// A connection to this peer: an open one, or a new one.
    pub(crate) async fn to(&self, node: &Arc<NodeState>, peer: &ActrId) -> Result<Arc<Session>, ActrError> {
        if let Some(session) = self.find(peer) {
            return Ok(session);
        }
        let turn = {
            let mut dialing = self.dialing.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(dialing.entry(peer.clone()).or_default())
        };
        let dialed = {
            let _turn = turn.lock().await;
            match self.find(peer) {
                Some(session) => Ok(session),
                None => self.dial(node, peer, Sharing::Shared).await,
            }
        };
        let mut dialing = self.dialing.lock().unwrap_or_else(PoisonError::into_inner);
        // This one and the map's: nobody else waits for a turn.
        if Arc::strong_count(&turn) <= 2 {
            dialing.remove(peer);
        }
        dialed
    }

    /// A new connection to this peer.
    pub(crate) async fn dial(
        &self,
        node: &Arc<NodeState>,
        peer: &ActrId,
        sharing: Sharing,
    ) -> Result<Arc<Session>, ActrError> {
        if node.draining().is_cancelled() {
            return Err(ActrError::Stopping);
        }
        let unreachable = |cause: String| ActrError::Unreachable {
            peer: peer.clone(),
            cause,
        };
        let address = node.address_of(peer).await?;
        let identity = node.link().registered().await?;
        let upgraded = dial(&address, &identity.actor_id, &identity.credential)
            .await
            .map_err(|error| {
                node.forget_address(peer);
                unreachable(error.to_string())
            })?;
        let connection = self.open(node, peer.clone(), upgraded, Role::Client, sharing);
        let session = Arc::clone(connection.session());
        node.tasks()
            .spawn_runtime("a data lane connection", self::drive(Arc::clone(node), connection));
        Ok(session)
    }

    /// Makes a connection's session known; it works once the connection is driven.
    pub(crate) fn open(
        &self,
        node: &Arc<NodeState>,
        peer: ActrId,
        upgraded: Upgraded,
        role: Role,
        sharing: Sharing,
    ) -> Connection {
        let connection = Connection::new(node, peer.clone(), upgraded, role, sharing);
        self.lock()
            .entry(peer)
            .or_default()
            .push(Arc::clone(connection.session()));
        connection
    }

    /// Forgets a session that has ended; whether another one to the same peer is there.
    pub(crate) fn forget(&self, session: &Arc<Session>) -> bool {
        let mut by_peer = self.lock();
        let Some(sessions) = by_peer.get_mut(session.peer()) else {
            return false;
        };
        sessions.retain(|other| !Arc::ptr_eq(other, session));
        let others = !sessions.is_empty();
        if !others {
            by_peer.remove(session.peer());
        }
        others
    }

    /// Asks all to send what they have and to close.
    pub(crate) fn close_all(&self, code: CloseCode, reason: &str) {
        let all: Vec<_> = self.lock().values().flatten().cloned().collect();
        for session in all {
            session.close(code, reason);
        }
    }
}

/// Who may use a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sharing {
    /// Every call to the peer.
    Shared,
    /// Whoever has its handle.
    Own,
}

/// Runs a connection until it ends, or the node has stopped for long enough.
pub(crate) async fn drive(node: Arc<NodeState>, connection: Connection) {
    let stop = node.tasks().stop().clone();
    tokio::select! {
        () = connection.run() => {}
        () = async {
            stop.cancelled().await;
            sleep(CLOSE_GRACE).await;
        } => {}
    }
}
