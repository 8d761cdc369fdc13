use std::sync::Arc;

use actr_lite_engine::{accounts::PeerAccount, peers::pool::Sharing};
use actr_lite_wire::{acl::AclRefusal, identity::ActrId};

use crate::{
    lane::{closing::Closing, lane::Lane},
    peers::pool::{OpenConnection, Pool, PoolPlace},
    session::{
        receiver::SessionReceiver, serve::Serve, session::Session, session_environment::SessionEnvironment,
        session_handle::SessionHandle,
    },
    stream::stream_end::StreamEnd,
};

/// The sessions of a node, whatever they go over: whom it has some with, and how one begins.
pub(crate) struct OpenSessions {
    environment: Arc<SessionEnvironment>,
    serve: Arc<dyn Serve>,
    pool: Arc<Pool>,
}

impl OpenSessions {
    /// None yet. They share `environment`, and what peers call is served by `serve`.
    pub(super) fn new(environment: Arc<SessionEnvironment>, serve: Arc<dyn Serve>) -> Arc<Self> {
        Arc::new(Self {
            environment,
            serve,
            pool: Arc::default(),
        })
    }

    /// What the sessions share.
    pub(super) fn environment(&self) -> &SessionEnvironment {
        &self.environment
    }

    /// An open session with this peer that everybody may use.
    pub(super) fn find(&self, peer: &ActrId) -> Option<SessionHandle> {
        self.pool.find(peer)
    }

    /// Whether the access list admits a peer. One that it does not may still bring the stream that this node has asked it for,
    /// unless a rule denies it: `Ok(false)`.
    pub(super) fn admit(&self, peer: &ActrId) -> Result<bool, AclRefusal> {
        let Err(refusal) = self.environment.access.admit(peer) else {
            return Ok(true);
        };
        if let AclRefusal::Denied { .. } = &refusal {
            for inbox in self.environment.subscriptions.waiting_for(peer) {
                inbox.end(StreamEnd::Denied(refusal.clone()));
            }
        } else if self.environment.subscriptions.wait_for_any(peer) {
            return Ok(false);
        }
        Err(refusal)
    }

    /// A session with a peer over a lane, and what takes the lane's records for it. It works once the lane is driven.
    pub(super) fn begin(
        &self,
        peer: ActrId,
        lane: Arc<dyn Lane>,
        account: Arc<PeerAccount>,
    ) -> (Arc<Session>, SessionReceiver) {
        let session = Session::new(Arc::clone(&self.environment), peer, lane, account);
        let receiver = SessionReceiver::new(Arc::clone(&session), Arc::clone(&self.serve));
        (session, receiver)
    }

    /// Makes a session known, as long as its place is held.
    pub(super) fn enter(&self, open: OpenConnection, sharing: Sharing) -> PoolPlace {
        self.pool.enter(open, sharing)
    }

    /// Those that are open, as they are shown, each with its number.
    pub(super) fn shown(&self) -> Vec<(u64, OpenConnection)> {
        self.pool.shown()
    }

    /// Tells all peers that this node shuts down, so that they can go elsewhere in time.
    pub(super) fn say_leaving(&self) {
        for session in self.pool.all() {
            session.say_leaving();
        }
    }

    /// Asks all to send what they have and to close.
    pub(super) fn close_all(&self, cause: Closing) {
        for session in self.pool.all() {
            session.close(cause);
        }
    }
}
