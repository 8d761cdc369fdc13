use std::{sync::Arc, time::Duration};

use actr_lite_wire::{
    identity::ActrId,
    misbehaviour::MisbehaviourKind,
    websocket::{CloseCode, CloseFrame, Role},
};
use bytes::BytesMut;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio::{sync::oneshot, time::timeout};
use tracing::debug;

use crate::{
    conversation::Conversation,
    envelope_socket::{Ending, MAX_ENVELOPE_BYTES, Socket},
    origin::Origin,
    permits::SignalingPermit,
    relay::{self, RelayReceiver},
    shared::{Dismissal, Notice, Shared},
};
use actr_lite_net::message_socket::MessageSocket;

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

    let Some((guard, dismissed, relayed)) = open(&shared, &id) else {
        debug!(%id, "the node is gone since the gate let it in");
        close(&mut socket, Ending::Dismissed(Dismissal::LeaseExpired)).await;
        return;
    };
    debug!(%id, "signaling connection open");
    let mut conversation = Conversation::new(&shared, &id, permit.holder(), &origin, guard.number);
    let ending = tokio::select! {
        ending = conversation.run(&mut socket, relayed) => ending,
        // An error means that the table dropped the sender without a word, which it never does.
        Ok(why) = dismissed => Ending::Dismissed(why),
        () = shared.stop.cancelled() => Ending::Stop,
    };
    drop(guard);
    debug!(%id, "signaling connection ends: {ending}");
    match &ending {
        Ending::Misbehaved(kind, _, reason) => shared.complaints.about(*kind, &id, reason),
        Ending::Stalled => shared.complaints.about(MisbehaviourKind::UnreadAnswers, &id, &ending),
        _ => {}
    }
    close(&mut socket, ending).await;
    drop(permit);
}

/// Enters the connection in the table, unless the node's lease, on which its end depends, is over.
fn open<'a>(
    shared: &'a Shared,
    id: &'a ActrId,
) -> Option<(OpenGuard<'a>, oneshot::Receiver<Dismissal>, RelayReceiver)> {
    let now = shared.clock.now();
    let (sender, relayed) = relay::queue();
    let (number, dismissed, replaced) = {
        let mut state = shared.state();
        state.directory.sign_of_life(id, now).ok()?;
        state.sessions.open(id, sender)
    };
    replaced.into_iter().for_each(Notice::tell);
    Some((OpenGuard { shared, id, number }, dismissed, relayed))
}

/// Takes the connection out of the table, however its task ends.
struct OpenGuard<'a> {
    shared: &'a Shared,
    id: &'a ActrId,
    number: u64,
}

impl Drop for OpenGuard<'_> {
    fn drop(&mut self) {
        let mut state = self.shared.state();
        if state.sessions.close(self.id, self.number) {
            state.directory.lost(self.id);
        }
    }
}

async fn close(socket: &mut Socket, ending: Ending) {
    let code = match &ending {
        Ending::Lost => return,
        Ending::Unregistered | Ending::Dismissed(Dismissal::Unregistered) => CloseCode::NORMAL,
        Ending::Misbehaved(_, code, _) => *code,
        Ending::Dismissed(_) | Ending::Stalled => CloseCode::POLICY_VIOLATION,
        Ending::Stop => CloseCode::GOING_AWAY,
    };
    let frame = CloseFrame::new(code, ending.to_string());
    // Whoever does not take part in the handshake just loses the socket.
    let _ = timeout(CLOSE_TIMEOUT, socket.close(Some(&frame))).await;
}
