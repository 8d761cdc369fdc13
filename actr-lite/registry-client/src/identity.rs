use std::fmt;

use actr_lite_wire::{
    credential::{Credential, VerifyingKey},
    identity::ActrId,
};

use crate::turn_credential::TurnCredential;

/// Who the node is, as its registry sees it, and what proves it. Its `Debug` does not show the credential.
#[derive(Clone, PartialEq)]
pub struct Identity {
    /// The node's id: another one after each registration, the same after a renewal.
    pub actor_id: ActrId,
    /// What proves the id to other nodes.
    pub credential: Credential,
    /// Unix time in seconds from which on the credential is worthless. It is renewed well before.
    pub credential_expires_at: u64,
    /// The registry's key that signed the credential.
    pub signing_key: VerifyingKey,
    /// What opens relays to the node, if its registry grants that.
    pub turn: Option<TurnCredential>,
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity")
            .field("actor_id", &self.actor_id)
            .field("credential_expires_at", &self.credential_expires_at)
            .field("key_id", &self.signing_key.key_id())
            .finish_non_exhaustive()
    }
}
