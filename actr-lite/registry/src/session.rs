use std::{sync::Arc, time::Duration};

use actr_lite_net::message_socket::MessageSocket;
use actr_lite_wire::{identity::ActrId, misbehaviour::MisbehaviourKind, websocket::Role};
use bytes::{Bytes, BytesMut};
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio::{task::yield_now, time::timeout};
use tracing::debug;

use crate::{
    conversation::{Conversation, MAX_ENVELOPE_BYTES, Reply, Setting},
    ending::Ending,
    envelope_socket::{Socket, next_message, send},
    ledger::Holder,
    line::Line,
    origin::Origin,
    permits::SignalingPermit,
    sessions::{Dismissal, Notice, Told},
    shared::Shared,
};

/// How long the HTTP half may take to hand over the socket: it only writes the 101.
const UPGRADE_TIMEOUT: Duration = Duration::from_secs(5);

/// How long a node may take to close after the registry did (RFC 6455 §7.1.1 lets a server close at once).
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

/// Runs one signaling connection of `id` to its end. The connection's loss does not unregister the node: its lease
/// decides.
pub(crate) async fn run(shared: Arc<Shared>, permit: SignalingPermit, id: ActrId, origin: Origin, upgrade: OnUpgrade) {
    let upgraded = tokio::select! {
        upgraded = timeout(UPGRADE_TIMEOUT, upgrade) => upgraded,
        () = shared.stop.cancelled() => return,
    };
    let Ok(Ok(upgraded)) = upgraded else {
        debug!(%id, "signaling connection lost before it was open");
        return;
    };
    let stream = TokioIo::new(upgraded);
    let mut socket = MessageSocket::new(stream, Role::Server, MAX_ENVELOPE_BYTES, BytesMut::new());

    let Some(mut session) = Session::open(&shared, &id, permit.holder(), &origin) else {
        debug!(%id, "the node is gone since the gate let it in");
        close(&mut socket, &Ending::Dismissed(Dismissal::LeaseExpired)).await;
        return;
    };
    debug!(%id, "signaling connection open");
    let line = Arc::clone(&session.line);
    let ending = tokio::select! {
        ending = session.run(&mut socket) => ending,
        why = line.dismissed() => Ending::Dismissed(why),
        () = shared.stop.cancelled() => Ending::Stop,
    };
    drop(session);
    debug!(%id, reason = %ending, "signaling connection ends: {ending}");
    match &ending {
        Ending::Misbehaved { kind, reason, .. } => shared.complaints.about(*kind, &id, reason),
        Ending::Stalled => shared.complaints.about(MisbehaviourKind::UnreadAnswers, &id, &ending),
        _ => {}
    }
    close(&mut socket, &ending).await;
    drop(permit);
}

/// A connection in the registry's table. It is taken out however its task ends.
pub(crate) struct Session<'a> {
    shared: &'a Shared,
    line: Arc<Line>,
    conversation: Conversation,
}

impl<'a> Session<'a> {
    /// Opens a connection in place of the one that the node has; `None` if the node's lease is over.
    pub(crate) fn open(shared: &'a Shared, id: &ActrId, holder: Holder, origin: &Origin) -> Option<Self> {
        let line = Arc::new(Line::default());
        let setting = Setting {
            holder,
            is_this_machine: origin.is_this_machine || shared.options.insecure,
            life: shared.life,
            heartbeat_interval_secs: shared.authority.heartbeat_interval_secs(),
        };
        let now = shared.clock.now();
        let opened = Conversation::open(&mut shared.state(), id, Arc::clone(&line), setting, now);
        let (conversation, replaced) = opened?;
        replaced.into_iter().for_each(Notice::tell);
        Some(Self {
            shared,
            line,
            conversation,
        })
    }

    /// Goes on until the connection has to end.
    async fn run(&mut self, socket: &mut Socket) -> Ending {
        loop {
            // Both are cancel safe: what is not taken is there the next time.
            let step = tokio::select! {
                message = next_message(socket) => match message {
                    Ok(message) => self.take(socket, message).await,
                    Err(ending) => Err(ending),
                },
                () = self.line.relays() => self.hand_over(socket).await,
            };
            if let Err(ending) = step {
                return ending;
            }
        }
    }

    /// Takes what the node sent, and answers it.
    async fn take(&mut self, socket: &mut Socket, message: Bytes) -> Result<(), Ending> {
        let envelope = self.conversation.take(message)?;
        while !self.step() {
            yield_now().await;
        }
        let Reply { envelope, ending } = self.conversation.reply(envelope, self.shared.clock.timestamp());
        if let Some(Ending::Unregistered) = ending {
            self.shared.journal.left(self.conversation.id());
        }
        if let Some(envelope) = envelope {
            send(socket, &envelope).await?;
            self.conversation.written();
        }
        ending.map_or(Ok(()), Err)
    }

    /// Works on an answer for a moment; whether it is done.
    fn step(&mut self) -> bool {
        let (now, mut told) = (self.shared.clock.now(), Told::default());
        let is_done = self.conversation.step(&mut self.shared.state(), now, &mut told);
        told.tell();
        is_done
    }

    /// Hands the node what another one sent to it.
    async fn hand_over(&mut self, socket: &mut Socket) -> Result<(), Ending> {
        let at = self.shared.clock.timestamp();
        let next = self.conversation.next_relay(&mut self.shared.state(), at);
        let Some((envelope, has_more)) = next else {
            return Ok(());
        };
        if has_more {
            // What the node sends has its turn in between.
            self.line.has_relays();
        }
        send(socket, &envelope).await
    }
}

impl Drop for Session<'_> {
    fn drop(&mut self) {
        self.conversation.close(&mut self.shared.state());
    }
}

async fn close(socket: &mut Socket, ending: &Ending) {
    let Some(frame) = ending.close_frame() else { return };
    // Whoever does not take part in the handshake just loses the socket.
    let _ = timeout(CLOSE_TIMEOUT, socket.close(Some(&frame))).await;
}

#[cfg(feature = "fuzzing")]
mod without_a_socket {
    use actr_lite_wire::proto::{SignalingEnvelope, signaling_envelope::Flow};

    use super::*;

    impl Session<'_> {
        /// What the node gets for an envelope, if anything.
        pub(crate) fn answer(&mut self, envelope: SignalingEnvelope) -> Option<Flow> {
            let envelope = self.conversation.take_envelope(envelope);
            // Others need no turn here.
            while !self.step() {}
            let reply = self.conversation.reply(envelope, self.shared.clock.timestamp());
            self.conversation.written();
            reply.envelope.and_then(|envelope| envelope.flow)
        }

        /// What another node has sent to this one, and is not read yet.
        pub(crate) fn relayed(&mut self) -> Option<Flow> {
            let at = self.shared.clock.timestamp();
            let (envelope, _) = self.conversation.next_relay(&mut self.shared.state(), at)?;
            envelope.flow
        }

        /// Whether the registry has ended it.
        pub(crate) fn is_dismissed(&self) -> bool {
            self.line.dismissal().is_some()
        }
    }
}
