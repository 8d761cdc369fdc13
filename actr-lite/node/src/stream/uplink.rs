use std::{
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
    time::Duration,
};

use actr_lite_engine::{accounts::PeerAccount, usage::Usage};
use actr_lite_quota::Quota;
use actr_lite_wire::identity::ActrId;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::{
    lane::{close_reason::CloseReason, closing::Closing, lane::Lane},
    stream::{outgoing_streams::OutgoingStreams, send_error::SendError, stream_environment::StreamEnvironment},
};

/// One connection to one peer, as those who send and receive over it see it: the lane, and what they share there.
pub(crate) struct Uplink {
    peer: ActrId,
    lane: Arc<dyn Lane>,
    /// With the peer's other connections.
    account: Arc<PeerAccount>,
    environment: Arc<StreamEnvironment>,
    outgoing: OutgoingStreams,
    /// What the windows of this connection may grow.
    growth: Arc<Quota>,
    started: Instant,
    usage: Mutex<Usage>,
    gone: OnceLock<CloseReason>,
    closed: CancellationToken,
}

impl Uplink {
    pub(crate) fn new(
        peer: ActrId,
        lane: Arc<dyn Lane>,
        account: Arc<PeerAccount>,
        environment: Arc<StreamEnvironment>,
    ) -> Arc<Self> {
        Arc::new(Self {
            peer,
            lane,
            growth: account.growth_of_a_connection(),
            account,
            environment,
            outgoing: OutgoingStreams::default(),
            started: Instant::now(),
            usage: Mutex::new(Usage::new(Duration::ZERO)),
            gone: OnceLock::new(),
            closed: CancellationToken::new(),
        })
    }

    /// Who is at the other end.
    pub(crate) fn peer(&self) -> &ActrId {
        &self.peer
    }

    pub(crate) fn lane(&self) -> &dyn Lane {
        self.lane.as_ref()
    }

    /// The lane, for what outlives the connection.
    pub(crate) fn shared_lane(&self) -> &Arc<dyn Lane> {
        &self.lane
    }

    /// What the peer makes this node hold, with its other connections.
    pub(crate) fn account(&self) -> &Arc<PeerAccount> {
        &self.account
    }

    /// What is used of the node.
    pub(crate) fn environment(&self) -> &StreamEnvironment {
        &self.environment
    }

    /// The streams that go out over it.
    pub(crate) fn outgoing(&self) -> &OutgoingStreams {
        &self.outgoing
    }

    /// When it began.
    pub(crate) fn began(&self) -> std::time::Instant {
        self.started.into_std()
    }

    /// How long ago it began, by which its use is measured.
    pub(crate) fn age(&self) -> Duration {
        self.started.elapsed()
    }

    /// When it is so old.
    pub(crate) fn at_age(&self, age: Duration) -> Instant {
        self.started + age
    }

    /// Who uses it.
    pub(crate) fn usage(&self) -> MutexGuard<'_, Usage> {
        self.usage.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn is_open(&self) -> bool {
        self.gone.get().is_none() && !self.usage().is_retired()
    }

    /// How the connection ended, once it has.
    pub(crate) fn close_reason(&self) -> Option<&CloseReason> {
        self.gone.get()
    }

    /// Completes when the connection has ended.
    pub(crate) async fn closed(&self) {
        self.closed.cancelled().await;
    }

    /// What a sender learns once the connection has ended.
    pub(crate) fn gone(&self) -> Option<SendError> {
        let reason = self.gone.get()?.clone();
        Some(self.peer_gone(reason))
    }

    /// The error of a sender that comes when the connection is being closed as unused.
    pub(crate) fn retired(&self) -> SendError {
        self.gone()
            .unwrap_or_else(|| self.peer_gone(CloseReason::Local(Closing::Idle.to_string())))
    }

    fn peer_gone(&self, reason: CloseReason) -> SendError {
        SendError::PeerGone {
            stream: None,
            peer: self.peer.clone(),
            reason,
        }
    }

    /// Asks the lane to send what it has and to close.
    pub(crate) fn close(&self, cause: Closing) {
        self.lane.close(cause);
    }

    /// The connection has ended: whoever waits for it learns that. False if that was known.
    pub(crate) fn end(&self, reason: CloseReason) -> bool {
        let is_new = self.gone.set(reason).is_ok();
        if is_new {
            self.closed.cancel();
        }
        is_new
    }

    /// From which the windows of the streams that the peer sends take what they grow.
    pub(crate) fn growth(&self) -> &Arc<Quota> {
        &self.growth
    }
}
