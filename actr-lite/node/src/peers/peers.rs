use std::{
    collections::HashMap,
    future::pending,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::Duration,
};

use actr_lite_net::{DialProgress, Step};
use actr_lite_registry::client::RegistryLinkError;
use actr_lite_wire::{
    identity::{ActrId, ActrType},
    peer_text::PeerText,
    websocket::Role,
};
use tokio::{
    sync::OnceCell,
    time::{Instant, sleep, sleep_until},
};

use crate::{
    error::actr_error::ActrError,
    lane::{closing::Closing, websocket::connection::Connection},
    limits::accounts::Admission,
    node_state::NodeState,
    peers::dial::{DialError, Dialer, Upgraded, dial},
    session::{in_use::InUse, session::Session, sharing::Sharing},
};

/// How long a dial waits for its turn where too many come: less than what waits for the dial has left as a rule.
const LONGEST_TURN: Duration = Duration::from_secs(5);

/// The open connections, by peer.
#[derive(Default)]
pub(crate) struct Sessions {
    by_peer: Mutex<Peers>,
    /// The connections that are being made.
    dialing: Mutex<HashMap<ActrId, Arc<SharedDial>>>,
}

/// What is open, by peer. The latest of a peer's comes last, and is the one that new calls take.
type Peers = HashMap<ActrId, Vec<Arc<Session>>>;

/// The making of a connection, for all who wait for it.
#[derive(Default)]
struct SharedDial {
    outcome: OnceCell<Result<Arc<Session>, ActrError>>,
    progress: DialProgress,
}

/// One who waits for a connection; the last of them takes the entry away, also when it is dropped.
struct Dialing<'a> {
    sessions: &'a Sessions,
    peer: &'a ActrId,
    dial: Arc<SharedDial>,
}

impl<'a> Dialing<'a> {
    fn join(sessions: &'a Sessions, peer: &'a ActrId) -> Self {
        let mut dialing = sessions.dialing.lock().unwrap_or_else(PoisonError::into_inner);
        let dial = Arc::clone(dialing.entry(peer.clone()).or_default());
        Self { sessions, peer, dial }
    }
}

impl Drop for Dialing<'_> {
    fn drop(&mut self) {
        let mut dialing = self.sessions.dialing.lock().unwrap_or_else(PoisonError::into_inner);
        let is_known = dialing.get(self.peer).is_some_and(|dial| Arc::ptr_eq(dial, &self.dial));
        // Whoever comes now finds the connection, or is to make another try.
        if is_known && (self.dial.outcome.initialized() || Arc::strong_count(&self.dial) == 2) {
            dialing.remove(self.peer);
        }
    }
}

impl Sessions {
    fn lock(&self) -> MutexGuard<'_, Peers> {
        self.by_peer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// An open connection to this peer.
    pub(crate) fn find(&self, peer: &ActrId) -> Option<InUse> {
        let peers = self.lock();
        let mut latest_first = peers.get(peer)?.iter().rev();
        latest_first.find_map(|session| (session.is_shared() && session.is_open()).then(|| session.enter())?)
    }

    /// A connection to this peer: an open one, or a new one.
    ///
    /// Whoever comes while one is being made shares its fate, good or bad.
    pub(crate) async fn to(&self, node: &Arc<NodeState>, peer: &ActrId) -> Result<InUse, ActrError> {
        loop {
            if let Some(session) = self.find(peer) {
                return Ok(session);
            }
            let dialing = Dialing::join(self, peer);
            let dial = || async {
                // In a box, as a dial needs some kilobytes, which would be part of the future of every call.
                let session = Box::pin(self.dial(node, peer, Sharing::Shared, &dialing.dial.progress)).await?;
                Ok(Arc::clone(&session))
            };
            let session = dialing.dial.outcome.get_or_init(dial).await.clone()?;
            if let Some(error) = session.gone() {
                return Err(error.into());
            }
            // It came so late that the connection is being closed again for want of use: once more.
            if let Some(session) = session.enter() {
                return Ok(session);
            }
        }
    }

    /// The step at which the connection to this peer is that is being made, if one is.
    pub(crate) fn dial_standing(&self, peer: &ActrId) -> Option<String> {
        let dialing = self.dialing.lock().unwrap_or_else(PoisonError::into_inner);
        dialing.get(peer)?.progress.standing(Duration::ZERO)
    }

    /// A node of this type to which a connection is being made, and at which step that is.
    pub(crate) fn dial_to(&self, actr_type: &ActrType) -> Option<(ActrId, String)> {
        let dialing = self.dialing.lock().unwrap_or_else(PoisonError::into_inner);
        dialing.iter().find_map(|(peer, dial)| {
            let step = dial.progress.standing(Duration::ZERO)?;
            (peer.actr_type() == actr_type).then(|| (peer.clone(), step))
        })
    }

    /// A new connection to this peer. Meanwhile `progress` tells the step.
    pub(crate) async fn dial(
        &self,
        node: &Arc<NodeState>,
        peer: &ActrId,
        sharing: Sharing,
        progress: &DialProgress,
    ) -> Result<InUse, ActrError> {
        if node.draining().is_cancelled() {
            return Err(ActrError::Stopping);
        }
        let unreachable = |cause: PeerText| ActrError::Unreachable {
            peer: peer.clone(),
            cause,
        };
        let admission = node.occupancy().accounts().of(peer)?.dial()?;
        let step = progress.enter(Step::Answer("question for its address"));
        let address = node.address_of(peer).await?;
        drop(step);
        let identity = node.link().identity().ok_or(RegistryLinkError::Stopped)?;
        let prove = |websocket_key: &[u8]| node.link().prove(&identity, peer, websocket_key);
        let dialer = Dialer {
            tls: &node.tls().client,
            clear_text: node.clear_text(),
            id: &identity.actor_id,
            credential: &identity.credential,
            prove: &prove,
            record_limit: node.record_limit(),
            keeps_open: sharing == Sharing::Own,
        };
        let upgraded = dial_in_turn(&address, dialer, progress).await.map_err(|error| {
            if let DialError::Denied { reason, .. } = error {
                return ActrError::NotAdmitted {
                    peer: peer.clone(),
                    reason,
                };
            }
            node.doubt_address(peer);
            unreachable(PeerText::of(&error))
        })?;
        let connection = self.open(node, peer.clone(), admission, upgraded, Role::Client, sharing);
        let session = connection.session().enter().ok_or(ActrError::Stopping)?;
        node.tasks().spawn_runtime(
            "a data lane connection",
            Box::pin(self::drive(Arc::clone(node), connection)),
        );
        Ok(session)
    }

    /// Makes a connection's session known; it works once the connection is driven.
    pub(crate) fn open(
        &self,
        node: &Arc<NodeState>,
        peer: ActrId,
        admission: Admission,
        upgraded: Upgraded,
        role: Role,
        sharing: Sharing,
    ) -> Connection {
        let connection = Connection::new(node, peer, admission, upgraded, role, sharing);
        let session = connection.session();
        let mut peers = self.lock();
        let sessions = peers.entry(session.peer().clone()).or_default();
        sessions.push(Arc::clone(session));
        connection
    }

    /// Forgets a session that has ended.
    pub(crate) fn forget(&self, session: &Arc<Session>) {
        let mut peers = self.lock();
        if let Some(sessions) = peers.get_mut(session.peer()) {
            sessions.retain(|other| !Arc::ptr_eq(other, session));
            if sessions.is_empty() {
                peers.remove(session.peer());
            }
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
        let peers = self.lock();
        peers.values().flatten().cloned().collect()
    }
}

/// Dials, and dials again if the peer says that it is dialled too often and when it takes the connection.
async fn dial_in_turn(address: &str, dialer: Dialer<'_>, progress: &DialProgress) -> Result<Upgraded, DialError> {
    let gives_up_at = Instant::now() + LONGEST_TURN;
    loop {
        let error = match dial(address, dialer, progress).await {
            Ok(upgraded) => return Ok(upgraded),
            Err(error) => error,
        };
        let Some(wait) = error.retry_after() else {
            return Err(error);
        };
        // Others were told the same, and are not to come all at once.
        let wait = wait.min(LONGEST_TURN).mul_f64(1.0 + rand::random::<f64>());
        if Instant::now() + wait > gives_up_at {
            return Err(error);
        }
        sleep(wait).await;
    }
}

/// Closes a session that nobody has used for so long; the rest is for its connection. Never ends.
async fn close_when_unused(session: Option<Weak<Session>>, idle_timeout: Duration) {
    let mut look_at = Instant::now() + idle_timeout;
    while let Some(session) = &session {
        sleep_until(look_at).await;
        match session
            .upgrade()
            .and_then(|session| session.close_if_unused(idle_timeout))
        {
            Some(later) => look_at = later,
            None => break,
        }
    }
    pending().await
}

/// Runs a connection until it ends. One that nobody uses is closed.
pub(crate) async fn drive(node: Arc<NodeState>, connection: Connection) {
    let session = (!connection.is_kept_by_peer()).then(|| Arc::downgrade(connection.session()));
    let idle_timeout = node.occupancy().limits().idle_timeout.duration();
    tokio::select! {
        // It is what wakes this task as a rule.
        biased;
        () = connection.run() => {}
        () = close_when_unused(session, idle_timeout) => {}
    }
}
