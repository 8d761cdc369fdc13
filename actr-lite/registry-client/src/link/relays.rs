use std::collections::VecDeque;

use actr_lite_wire::{
    identity::ActrId,
    peer_text::PeerText,
    proto::{ActrRelay, ErrorResponse, actr_relay::Payload},
};
use tracing::debug;

use crate::{identity::Identity, relayed::Relayed};

/// How many messages to other nodes wait for the registry to take them: a session costs some ten, and what the registry
/// has not taken for a while is of no use any more. As many that were sent are known, should it refuse them.
const MAX_WAITING: usize = 256;

/// The longest message of another node that is taken: a session description has some kilobytes.
const MAX_PAYLOAD_LEN: usize = 32 << 10;

/// What goes to other nodes by way of the registry.
#[derive(Debug, Default)]
pub(super) struct Relays {
    last_number: u64,
    unsent: VecDeque<(ActrId, Payload)>,
    sent: VecDeque<(u64, ActrId)>,
}

impl Relays {
    /// Queues a message. If too many wait, the oldest is dropped: whoever sent it tries again, or has given up.
    pub(super) fn add(&mut self, to: ActrId, payload: Payload) {
        if self.unsent.len() == MAX_WAITING {
            self.unsent.pop_front();
        }
        self.unsent.push_back((to, payload));
    }

    /// The next to be sent, which then counts as sent, and its number.
    pub(super) fn next(&mut self, identity: &Identity) -> Option<(u64, ActrRelay)> {
        let (to, payload) = self.unsent.pop_front()?;
        self.last_number += 1;
        let relay = ActrRelay {
            source: (&identity.actor_id).into(),
            credential: identity.credential.clone().into(),
            target: (&to).into(),
            payload: Some(payload),
        };
        if self.sent.len() == MAX_WAITING {
            self.sent.pop_front();
        }
        self.sent.push_back((self.last_number, to));
        Some((self.last_number, relay))
    }

    /// The registry does not pass this one on.
    pub(super) fn refused(&mut self, number: u64, error: &ErrorResponse) -> Option<Relayed> {
        let at = self.sent.iter().position(|(sent, _)| *sent == number)?;
        let (_, to) = self.sent.remove(at)?;
        let reason = PeerText::new(&error.message);
        Some(Relayed::Refused { to, reason })
    }

    /// What another node says, if it is something.
    pub(super) fn said(relay: ActrRelay) -> Option<Relayed> {
        let payload = relay.payload?;
        let len = match &payload {
            Payload::IceCandidate(bytes)
            | Payload::SessionDescription(bytes)
            | Payload::RoleNegotiation(bytes)
            | Payload::RoleAssignment(bytes)
            | Payload::IceRestartRequest(bytes)
            | Payload::IceRestartRejected(bytes) => bytes.len(),
        };
        match ActrId::try_from(&relay.source) {
            Ok(from) if len <= MAX_PAYLOAD_LEN => Some(Relayed::Said { from, payload }),
            Ok(from) => {
                debug!(%from, len, limit = MAX_PAYLOAD_LEN, "what a node says is too long");
                None
            }
            Err(error) => {
                debug!(reason = %error, "the registry relays what nobody says");
                None
            }
        }
    }
}
