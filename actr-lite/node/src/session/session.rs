use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicUsize, Ordering},
};

use actr_lite_engine::{accounts::PeerAccount, outbox::Urgency};
use actr_lite_wire::{
    control::Control, envelope::Envelope, identity::ActrId, record::RecordKind, record_queue::Precedence,
};

use crate::{
    error::actr_error::ActrError,
    lane::{
        close_reason::CloseReason,
        closing::Closing,
        lane::{Lane, SendRefused},
        patience::Patience,
    },
    session::{
        open_call::OpenCall, pending_calls::PendingCalls, served_calls::ServedCalls,
        session_environment::SessionEnvironment,
    },
    stream::{incoming::IncomingStreams, send_error::SendError, stream_end::StreamEnd, uplink::Uplink},
};

/// One peer over one lane. It lives as long as the lane.
pub(crate) struct Session {
    pub(super) uplink: Arc<Uplink>,
    pub(super) environment: Arc<SessionEnvironment>,
    pub(super) calls: PendingCalls,
    pub(super) served: ServedCalls,
    pub(super) incoming: Arc<IncomingStreams>,
    /// The peer has answered a call.
    pub(super) answered: AtomicBool,
    /// How much has come of a long record of the peer's that is not whole yet.
    pub(super) partial_len: AtomicUsize,
}

impl Session {
    pub(crate) fn new(
        environment: Arc<SessionEnvironment>,
        peer: ActrId,
        lane: Arc<dyn Lane>,
        account: Arc<PeerAccount>,
    ) -> Arc<Self> {
        let uplink = Uplink::new(peer, lane, account, Arc::clone(&environment.streams));
        Arc::new(Self {
            environment,
            calls: PendingCalls::default(),
            served: ServedCalls::new(uplink.lane().has_control()),
            incoming: IncomingStreams::new(Arc::clone(&uplink)),
            uplink,
            answered: AtomicBool::new(false),
            partial_len: AtomicUsize::new(0),
        })
    }

    /// The connection, as streams use it.
    pub(crate) fn uplink(&self) -> &Arc<Uplink> {
        &self.uplink
    }

    /// Who is at the other end.
    pub(crate) fn peer(&self) -> &ActrId {
        self.uplink.peer()
    }

    pub(super) fn lane(&self) -> &dyn Lane {
        self.uplink.lane()
    }

    pub(crate) fn is_open(&self) -> bool {
        self.uplink.is_open()
    }

    /// How many bytes have come of a long record that is not whole yet.
    pub(crate) fn partial_len(&self) -> usize {
        self.partial_len.load(Ordering::Relaxed)
    }

    /// The calls that wait for their answers, both ways.
    pub(crate) fn open_calls(&self) -> Vec<OpenCall> {
        let mut open = self.served.shown();
        open.extend(self.calls.lock().values().map(|pending| pending.shown));
        open
    }

    /// Tells the peer that this node goes away, so that it can resume elsewhere in time.
    pub(crate) fn say_leaving(&self) {
        self.lane().send_control(&Control::Leaving);
    }

    /// Asks the lane to send what it has and to close.
    pub(crate) fn close(&self, cause: Closing) {
        self.uplink.close(cause);
    }

    /// Sends an envelope; waits for room. A peer that makes none for too long is closed.
    pub(super) async fn send_envelope(&self, envelope: Envelope, urgency: Urgency) -> Result<(), ActrError> {
        let body = envelope.encode();
        let limit = self.lane().max_record_len();
        if body.len() > limit {
            return Err(ActrError::TooLong { len: body.len(), limit });
        }
        let refused = match self.lane().try_send(RecordKind::RpcReliable, urgency, &[], &body) {
            Ok(_) => return Ok(()),
            Err(refused) => refused,
        };
        // In a box, as few have to wait: it would be part of the future of every call.
        Box::pin(self.send_later(&body, urgency, refused)).await
    }

    async fn send_later(&self, body: &[u8], urgency: Urgency, mut refused: SendRefused) -> Result<(), ActrError> {
        let mut turn = self
            .lane()
            .room(Precedence::of(RecordKind::RpcReliable, body.len()))
            .turn();
        let held = self.uplink.account().hold(body.len());
        let _held = held.inspect_err(|limit| self.environment.streams.tally.limit_reached(limit))?;
        let mut patience = Patience::new(self.lane(), self.environment.streams.stall_timeout());
        loop {
            match refused {
                SendRefused::Full => {
                    tokio::select! {
                        () = turn.wait() => {}
                        () = self.uplink.closed() => {}
                        () = patience.run_out(self.lane()) => self.close(Closing::Stalled),
                    }
                }
                SendRefused::OverShare(limit) => return Err(limit.into()),
                SendRefused::Closed => {
                    // The lane closes a moment before the session knows why.
                    self.uplink.closed().await;
                    return Err(self.peer_gone());
                }
            }
            match self.lane().try_send(RecordKind::RpcReliable, urgency, &[], body) {
                Ok(_) => return Ok(()),
                Err(again) => refused = again,
            }
        }
    }

    pub(super) fn peer_gone(&self) -> ActrError {
        let reason = self.uplink.close_reason().cloned();
        ActrError::PeerGone {
            peer: self.peer().clone(),
            reason: reason.unwrap_or_else(|| CloseReason::Local("it stops".into())),
        }
    }

    /// Ends everything: the lane is closed.
    pub(super) fn end(&self, reason: CloseReason) {
        if !self.uplink.end(reason.clone()) {
            return;
        }
        let peer = self.peer();
        self.calls.fail_all(&self.peer_gone());
        self.served.cancel_all();
        self.uplink.outgoing().close_all(&SendError::PeerGone {
            stream: None,
            peer: peer.clone(),
            reason: reason.clone(),
        });
        let end = StreamEnd::PeerGone {
            peer: peer.clone(),
            reason,
        };
        for inbox in self.incoming.take_all() {
            inbox.end(end.clone());
        }
        self.environment.departures.forget(peer);
        // The request may have gone over this connection, or over another one: an end that comes too early is seen, and
        // one that never comes is not.
        for inbox in self.environment.subscriptions.waiting_for(peer) {
            inbox.end(end.clone());
        }
    }
}
