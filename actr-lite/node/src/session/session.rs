use std::{
    fmt::Display,
    sync::{
        Arc, Mutex, OnceLock, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use actr_lite_wire::{
    control::Control, envelope::Envelope, identity::ActrId, record::RecordKind, send_queue::Precedence,
};
use tokio_util::sync::CancellationToken;

use crate::{
    error::actr_error::ActrError,
    lane::{
        close_reason::CloseReason,
        closing::Closing,
        lane::{Lane, SendRefused, Urgency},
        patience::Patience,
        turn::Turn,
    },
    limits::accounts::PeerAccount,
    node_state::NodeState,
    session::{
        answer_hold::{AnswerHold, FirstTurn},
        calls::Calls,
        in_use::Usage,
        incoming::IncomingStreams,
        served::ServedCalls,
        sharing::Sharing,
    },
    stream::{outgoing_streams::OutgoingStreams, send_error::SendError, stream_end::StreamEnd},
    tasks::Tasks,
};

/// How much all windows of one connection may grow together beyond what each stream starts with: enough for one or two
/// streams at full speed, which need it, while many share the connection anyway. What is on its way is ahead of every
/// call on the same connection.
const CONNECTION_GROWTH: u64 = 1 << 20;

/// One peer over one lane. It lives as long as the lane.
pub(crate) struct Session {
    pub(super) peer: ActrId,
    pub(super) sharing: Sharing,
    pub(super) lane: Arc<dyn Lane>,
    pub(super) node: Arc<NodeState>,
    pub(super) calls: Calls,
    pub(super) served: ServedCalls,
    pub(super) outgoing: OutgoingStreams,
    pub(super) incoming: IncomingStreams,
    pub(super) growth: Mutex<u64>,
    /// With the peer's other connections.
    pub(super) account: Arc<PeerAccount>,
    pub(super) usage: Mutex<Usage>,
    /// The peer has answered a call.
    pub(super) answered: AtomicBool,
    /// How much has come of a long record of the peer's that is not whole yet.
    pub(super) partial_len: AtomicUsize,
    pub(super) gone: OnceLock<CloseReason>,
    pub(super) closed: CancellationToken,
}

impl Session {
    pub(crate) fn new(
        node: Arc<NodeState>,
        peer: ActrId,
        lane: Arc<dyn Lane>,
        sharing: Sharing,
        account: Arc<PeerAccount>,
    ) -> Arc<Self> {
        Arc::new(Self {
            peer,
            sharing,
            lane,
            node,
            calls: Calls::default(),
            served: ServedCalls::default(),
            outgoing: OutgoingStreams::default(),
            growth: Mutex::new(CONNECTION_GROWTH),
            incoming: IncomingStreams::new(Arc::clone(&account)),
            account,
            usage: Mutex::new(Usage::new()),
            answered: AtomicBool::new(false),
            partial_len: AtomicUsize::new(0),
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

    pub(crate) fn outgoing(&self) -> &OutgoingStreams {
        &self.outgoing
    }

    pub(crate) fn is_shared(&self) -> bool {
        self.sharing == Sharing::Shared
    }

    /// Whether this node shuts down.
    pub(crate) fn is_stopping(&self) -> bool {
        self.node.draining().is_cancelled()
    }

    pub(crate) fn is_open(&self) -> bool {
        self.gone.get().is_none() && !self.is_retired()
    }

    /// What the peer makes this node hold, with its other connections.
    pub(crate) fn account(&self) -> &Arc<PeerAccount> {
        &self.account
    }

    /// How long something may wait for the peer.
    pub(crate) fn stall_timeout(&self) -> Duration {
        self.node.occupancy().limits().stall_timeout.duration()
    }

    /// For the tasks of this connection's streams.
    pub(crate) fn tasks(&self) -> &Tasks {
        self.node.tasks()
    }

    /// Logs something about the peer; the number of such lines is bounded.
    pub(crate) fn remark(&self, remark: &dyn Display) {
        self.node.complaints().remark(remark);
    }

    /// Whether the peer has answered a call.
    pub(super) fn has_answered(&self) -> bool {
        self.answered.load(Ordering::Relaxed)
    }

    /// For a call of the peer whose answer may wait for what the handler spawns.
    pub(crate) fn hold_answer(&self) -> (Arc<AnswerHold>, FirstTurn) {
        AnswerHold::new(&self.lane)
    }

    /// How many bytes have come of a long record that is not whole yet.
    pub(crate) fn partial_len(&self) -> usize {
        self.partial_len.load(Ordering::Relaxed)
    }

    /// What a sender learns once the connection has ended.
    pub(crate) fn gone(&self) -> Option<SendError> {
        let reason = self.gone.get()?.clone();
        Some(SendError::PeerGone {
            stream: None,
            peer: self.peer.clone(),
            reason,
        })
    }

    /// Tells the peer that this node goes away, so that it can resume elsewhere in time.
    pub(crate) fn say_leaving(&self) {
        self.lane.send_control(&Control::Leaving);
    }

    /// The error of a sender that comes when the session is being closed as unused.
    pub(crate) fn retired(&self) -> SendError {
        self.gone().unwrap_or_else(|| SendError::PeerGone {
            stream: None,
            peer: self.peer.clone(),
            reason: CloseReason::Local(Closing::Idle.to_string()),
        })
    }

    /// Asks the lane to send what it has and to close.
    pub(crate) fn close(&self, cause: Closing) {
        self.lane.close(cause);
    }

    /// Sends an envelope; waits for room. A peer that makes none for too long is closed.
    pub(super) async fn send_envelope(&self, envelope: Envelope, urgency: Urgency) -> Result<(), ActrError> {
        let body = envelope.encode();
        let limit = self.lane.max_record_len();
        if body.len() > limit {
            return Err(ActrError::TooLong { len: body.len(), limit });
        }
        let refused = match self.lane.try_send(RecordKind::RpcReliable, urgency, &[], &body) {
            Ok(_) => return Ok(()),
            Err(refused) => refused,
        };
        // In a box, as few have to wait: it would be part of the future of every call.
        Box::pin(self.send_later(&body, urgency, refused)).await
    }

    pub(super) async fn send_later(
        &self,
        body: &[u8],
        urgency: Urgency,
        mut refused: SendRefused,
    ) -> Result<(), ActrError> {
        let mut turn = Turn::new(self.lane(), Precedence::of(RecordKind::RpcReliable, body.len()));
        let _held = self.account.hold(body.len())?;
        let mut patience = Patience::new(self.lane(), self.stall_timeout());
        loop {
            match refused {
                SendRefused::Full => {
                    tokio::select! {
                        () = turn.wait() => {}
                        () = self.closed.cancelled() => {}
                        () = patience.run_out(self.lane()) => self.close(Closing::Stalled),
                    }
                }
                SendRefused::OverShare(limit) => return Err(limit.into()),
                SendRefused::Closed => {
                    // The lane closes a moment before the session knows why.
                    self.closed.cancelled().await;
                    return Err(self.peer_gone());
                }
            }
            match self.lane.try_send(RecordKind::RpcReliable, urgency, &[], body) {
                Ok(_) => return Ok(()),
                Err(again) => refused = again,
            }
        }
    }

    pub(super) fn peer_gone(&self) -> ActrError {
        let reason = self
            .gone
            .get()
            .cloned()
            .unwrap_or_else(|| CloseReason::Local("it stops".into()));
        ActrError::PeerGone {
            peer: self.peer.clone(),
            reason,
        }
    }

    /// Ends everything: the lane is closed.
    pub(super) fn end(self: &Arc<Self>, reason: CloseReason) {
        if self.gone.set(reason.clone()).is_err() {
            return;
        }
        self.closed.cancel();
        self.calls.fail_all(&self.peer_gone());
        self.served.cancel_all();
        self.outgoing.close_all(&SendError::PeerGone {
            stream: None,
            peer: self.peer.clone(),
            reason: reason.clone(),
        });
        let end = StreamEnd::PeerGone {
            peer: self.peer.clone(),
            reason,
        };
        for inbox in self.incoming.take_all() {
            inbox.end(end.clone());
        }
        self.node.sessions().forget(self);
        self.node.departures().forget(&self.peer);
        // The request may have gone over this connection, or over another one: an end that comes too early is seen, and
        // one that never comes is not.
        for inbox in self.node.subscriptions().waiting_for(&self.peer) {
            inbox.end(end.clone());
        }
    }

    /// Lets `decide` see how much windows may still grow, and counts what it uses of that.
    pub(crate) fn with_growth<T>(&self, decide: impl FnOnce(u64) -> (T, u64)) -> T {
        let mut growth = self.growth.lock().unwrap_or_else(PoisonError::into_inner);
        let (result, used) = decide(*growth);
        *growth = growth.saturating_sub(used);
        result
    }

    /// A stream that had grown is over.
    pub(crate) fn return_growth(&self, grown: u64) {
        *self.growth.lock().unwrap_or_else(PoisonError::into_inner) += grown;
    }

    /// This node wants no more of a stream that the peer sends.
    pub(crate) fn cancel_incoming(&self, inbox: &crate::stream::inbox::Inbox, reason: &str) {
        let stream_id = inbox.stream_id();
        if self.incoming.cancel(stream_id) {
            self.lane.send_control(&Control::Cancel {
                stream_id: stream_id.clone(),
                reason: reason.into(),
            });
        }
    }
}
