use std::time::Duration;

use super::renewal::Renewal;
use crate::{identity::Identity, registration::Registration};

/// What the registry has granted the node.
#[derive(Debug)]
pub(super) struct Membership {
    pub(super) identity: Identity,
    pub(super) heartbeat_interval: Duration,
    pub(super) renewal: Renewal,
    /// Whether the registry has accepted the identity before, or the identity is not fresh any more: if the registry refuses
    /// it now, a new one is worth an immediate try.
    pub(super) is_confirmed: bool,
    /// Whether the registry has accepted this credential from a heartbeat.
    pub(super) is_credential_accepted: bool,
    /// The number of the last heartbeat that went out without this credential.
    heartbeats_before: u64,
}

impl Membership {
    /// Of what was granted, but not before `since`, after so many heartbeats.
    pub(super) fn new(registration: Registration, is_confirmed: bool, since: Duration, heartbeats: u64) -> Self {
        Self {
            renewal: Renewal::new(&registration, since),
            identity: registration.identity,
            heartbeat_interval: registration.heartbeat_interval,
            is_confirmed,
            is_credential_accepted: false,
            heartbeats_before: heartbeats,
        }
    }

    /// Whether the heartbeat of this number had this credential.
    pub(super) fn was_in(&self, heartbeat: u64) -> bool {
        heartbeat > self.heartbeats_before
    }
}
