use std::{
    future::{pending, poll_fn},
    pin::Pin,
    sync::Arc,
    task::Poll,
    time::Duration,
};

use actr_lite_admin::event::Direction;
use actr_lite_engine::{
    accounts::PeerAccount,
    begun::{Begun, Partial},
    held_bytes::HeldBytes,
    peers::pool::Sharing,
    upgrade::offer::Agreed,
};
use actr_lite_webrtc::{handover::Handover, peer::Peer};
use actr_lite_wire::{
    identity::ActrId,
    misbehaviour::MisbehaviourKind,
    peer_text::PeerText,
    websocket::{CloseCode, CloseFrame},
};
use bytes::Bytes;
use tracing::debug;

use crate::{
    lane::{
        close_reason::CloseReason,
        closing::Closing,
        lane::Lane,
        receiver::{Receiver as _, Violation},
        webrtc::outbox::Outbox,
    },
    peers::{
        open_sessions::OpenSessions,
        peer_connection::close_when_unused,
        pool::{OpenConnection, PoolPlace},
    },
    session::{receiver::SessionReceiver, session::Session, session_handle::SessionHandle},
};

/// How much costs nothing more than the connection of each: records that come in fragments, those that nobody has taken yet,
/// datagrams that wait, and what is to be sent.
pub(super) const FREE_BYTES: usize = 16 << 10;

/// A session over WebRTC that is ready, as the rest of the node knows it.
pub(super) struct OpenSession {
    session: Arc<Session>,
    receiver: SessionReceiver,
    outbox: Arc<Outbox>,
    handover: Handover,
    /// Something has come for which the receiver has no room yet.
    is_full: bool,
    /// The record that comes in parts.
    begun: Begun,
    /// Closes it when nobody has used it for a while.
    unused: Pin<Box<dyn Future<Output = ()> + Send>>,
    _place: PoolPlace,
}

impl OpenSession {
    /// One that both ends have agreed on, which whoever wants a session gets from now on.
    pub(super) fn new(
        sessions: &OpenSessions,
        peer: &ActrId,
        account: &Arc<PeerAccount>,
        agreed: Agreed,
        direction: Direction,
    ) -> Self {
        let environment = sessions.environment();
        let memory = HeldBytes::new(Arc::clone(account), FREE_BYTES);
        let outbox = Arc::new(Outbox::new(agreed, environment.record_limit, memory));
        let lane = Arc::clone(&outbox) as Arc<dyn Lane>;
        let (session, receiver) = sessions.begin(peer.clone(), lane, Arc::clone(account));
        let open = OpenConnection {
            session: Arc::clone(&session),
            direction,
            is_tls: true,
        };
        let limits = environment.streams.occupancy.limits();
        let idle_timeout = limits.idle_timeout.duration();
        Self {
            receiver,
            outbox,
            handover: Handover::default(),
            is_full: false,
            begun: Begun::new(environment.streams.stall_timeout()),
            unused: Box::pin(close_when_unused(Some((Arc::downgrade(&session), idle_timeout)))),
            _place: sessions.enter(open, Sharing::Shared),
            session,
        }
    }

    /// For one who wants to use it; `None` if it is being closed.
    pub(super) fn handle(&self) -> Option<SessionHandle> {
        self.session.is_open().then(|| SessionHandle::enter(&self.session))?
    }

    /// Hands messages to the machine as long as it takes some. Why the session is to be closed, if all has left that is to
    /// leave.
    pub(super) fn write(&mut self, machine: &mut Peer<HeldBytes>, now: Duration) -> Option<Closing> {
        let outbox = &self.outbox;
        let have_all_left = self.handover.run(
            |precedence, left| outbox.next(precedence, left),
            |channel, message| machine.write(channel, message, now),
        );
        if have_all_left {
            return outbox.closing();
        }
        self.handover.held_back().for_each(|batch| outbox.leaves(batch));
        None
    }

    /// Whether the receiver takes more now.
    pub(super) async fn has_room(&mut self) -> bool {
        let has_room = poll_fn(|cx| Poll::Ready(self.receiver.poll_room(cx).is_ready())).await;
        self.is_full = !has_room;
        has_room
    }

    /// Takes a message of the peer.
    ///
    /// # Errors
    /// When the peer broke the protocol: the session has to be closed.
    pub(super) fn deliver(&mut self, message: Bytes) -> Result<(), Violation> {
        self.receiver.receive(message)
    }

    /// By when more of what the peer has begun has to come, if it has begun something. `fragments` is what the machine has of
    /// records that are not whole.
    ///
    /// # Errors
    /// When that time is over: the session has to be closed.
    pub(super) fn look_at_begun(&mut self, fragments: Partial, now: Duration) -> Result<Option<Duration>, Violation> {
        let partial = match self.outbox.has_control() {
            true => self.receiver.partial(),
            false => {
                self.receiver.fragments_came(fragments.len);
                fragments
            }
        };
        self.begun.note(partial, now);
        if self.is_full {
            self.begun.excuse(now);
        }
        self.begun.deadline(now).map_err(|stalled| Violation {
            code: CloseCode::POLICY_VIOLATION,
            reason: stalled.to_string(),
        })
    }

    /// The peer broke the protocol. Why the session is to be closed.
    pub(super) fn violated(self, peer: &ActrId, violation: Violation) -> CloseFrame {
        let kind = MisbehaviourKind::ProtocolViolation;
        self.receiver.complain(kind, &violation.reason);
        self.ended(peer, CloseReason::Protocol(PeerText::new(&violation.reason)));
        CloseFrame::new(violation.code, violation.reason)
    }

    /// It is over; for this reason, unless this side has closed it.
    pub(super) fn ended(mut self, peer: &ActrId, reason: CloseReason) {
        let closing = self.outbox.closing();
        let reason = closing.map_or(reason, |cause| CloseReason::Local(cause.to_string()));
        debug!(%peer, %reason, "the session over WebRTC has ended");
        // First why, then that: whoever finds the outbox closed can say the reason.
        self.receiver.closed(reason);
        self.outbox.end();
    }
}

/// Completes when the session has something to send, or room for what has come.
pub(super) async fn progress(open: &mut Option<OpenSession>) {
    let Some(open) = open else {
        return pending().await;
    };
    let receiver = &mut open.receiver;
    tokio::select! {
        () = open.outbox.queued() => {}
        () = poll_fn(|cx| receiver.poll_room(cx)), if open.is_full => {}
        () = &mut open.unused => {}
    }
}
