use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use actr_lite_wire::{identity::ActrId, websocket::Role};
use tokio::{sync::OnceCell, time::sleep};

use crate::{
    ActrError,
    lane::{
        Closing,
        websocket::{Connection, Upgraded, dial},
    },
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
    /// The connections that are being made.
    dialing: Mutex<HashMap<ActrId, Arc<DialOutcome>>>,
}

/// How the making of a connection ends, for all who wait for it.
type DialOutcome = OnceCell<Result<Arc<Session>, ActrError>>;

/// One who waits for a connection; the last of them takes the entry away, also when it is dropped.
struct Dialing<'a> {
    sessions: &'a Sessions,
    peer: &'a ActrId,
    outcome: Arc<DialOutcome>,
}

impl<'a> Dialing<'a> {
    fn join(sessions: &'a Sessions, peer: &'a ActrId) -> Self {
        let mut dialing = sessions.dialing.lock().unwrap_or_else(PoisonError::into_inner);
        let outcome = Arc::clone(dialing.entry(peer.clone()).or_default());
        Self {
            sessions,
            peer,
            outcome,
        }
    }
}

impl Drop for Dialing<'_> {
    fn drop(&mut self) {
        let mut dialing = self.sessions.dialing.lock().unwrap_or_else(PoisonError::into_inner);
        let is_known = dialing
            .get(self.peer)
            .is_some_and(|outcome| Arc::ptr_eq(outcome, &self.outcome));
        // Whoever comes now finds the connection, or is to make another try.
        if is_known && (self.outcome.initialized() || Arc::strong_count(&self.outcome) == 2) {
            dialing.remove(self.peer);
        }
    }
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
    ///
    /// Whoever comes while one is being made shares its fate, good or bad.
    pub(crate) async fn to(&self, node: &Arc<NodeState>, peer: &ActrId) -> Result<Arc<Session>, ActrError> {
        if let Some(session) = self.find(peer) {
            return Ok(session);
        }
        let dialing = Dialing::join(self, peer);
        let outcome = dialing.outcome.get_or_init(|| self.dial(node, peer, Sharing::Shared));
        match outcome.await {
            Ok(session) if session.is_open() => Ok(Arc::clone(session)),
            Ok(session) => Err(session.gone().map_or(ActrError::Stopping, ActrError::from)),
            Err(error) => Err(error.clone()),
        }
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
        let upgraded = dial(&address, &identity.actor_id, &identity.credential, node.record_limit())
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

    /// Forgets a session that has ended.
    pub(crate) fn forget(&self, session: &Arc<Session>) {
        let mut by_peer = self.lock();
        let Some(sessions) = by_peer.get_mut(session.peer()) else {
            return;
        };
        sessions.retain(|other| !Arc::ptr_eq(other, session));
        if sessions.is_empty() {
            by_peer.remove(session.peer());
        }
    }

    /// Tells all peers that this node shuts down, so that they can go elsewhere in time.
    pub(crate) fn say_leaving(&self) {
        for session in self.all() {
            session.say_leaving();
        }
    }

    /// Asks all to send what they have and to close.
    pub(crate) fn close_all(&self, cause: Closing) {
        for session in self.all() {
            session.close(cause);
        }
    }

    fn all(&self) -> Vec<Arc<Session>> {
        self.lock().values().flatten().cloned().collect()
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
