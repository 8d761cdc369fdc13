use std::{
    fmt::{self, Display},
    time::Duration,
};

use actr_lite_wire::{
    credential::{Credential, VerifyingKey},
    identity::ActrId,
    peer_text::PeerText,
    proto::{self, register_response::RegisterOk},
};
use bytes::Bytes;
use prost::Message as _;
use prost_types::Timestamp;

use crate::error::RegistryLinkError;

/// The share of a credential's life after which it is renewed: what is left bridges a registry's outage of several minutes
/// at the usual lifetime of an hour.
const RENEW_AFTER: f64 = 0.8;

/// The shortest wait before a renewal: a registry whose calendar jumps would have it renewed without a pause.
const SHORTEST_RENEWAL_WAIT: Duration = Duration::from_millis(500);

/// The longest wait before a renewal, whatever end the registry names.
const LONGEST_RENEWAL_WAIT: Duration = Duration::from_secs(24 * 60 * 60);

/// The shortest and the longest heartbeat interval that a registry can ask for: less would be a flood, and with more a lost
/// connection would go unnoticed by both.
const HEARTBEAT_LIMITS: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));

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

/// An identity and what keeps it.
#[derive(Clone)]
pub(crate) struct Registration {
    pub(crate) identity: Identity,
    pub(crate) renewal_token: Option<Bytes>,
    /// Why nobody is told the node's address, if that is so.
    pub(crate) withheld_address: Option<PeerText>,
    pub(crate) heartbeat_interval: Duration,
    /// When it was given, in Unix seconds by the registry's calendar.
    pub(crate) granted_at: u64,
    /// How long after that the credential is to be renewed.
    pub(crate) renew_after: Duration,
}

impl Registration {
    /// What AIS granted at `granted_at`, by its own calendar.
    pub(crate) fn from_message(granted: RegisterOk, granted_at: u64) -> Result<Self, RegistryLinkError> {
        let malformed = |what: &dyn Display| RegistryLinkError::Malformed {
            request: "registration",
            what: PeerText::of(what),
        };
        let actor_id = ActrId::try_from(&granted.actr_id).map_err(|error| malformed(&error))?;
        let signing_key = VerifyingKey::from_bytes(granted.signing_key_id, &granted.signing_pubkey)
            .map_err(|error| malformed(&error))?;
        let expires_at = match granted.credential_expires_at {
            Some(Timestamp { seconds, .. }) => u64::try_from(seconds).unwrap_or_default(),
            None => {
                proto::IdentityClaims::decode(granted.credential.claims.clone())
                    .map_err(|_| malformed(&"the credential's claims can't be decoded"))?
                    .expires_at
            }
        };
        let (shortest, longest) = HEARTBEAT_LIMITS;
        let heartbeat_interval = Duration::from_secs(granted.signaling_heartbeat_interval_secs.into());
        Ok(Self {
            identity: Identity {
                actor_id,
                credential: granted.credential.into(),
                credential_expires_at: expires_at,
                signing_key,
            },
            renewal_token: granted.renewal_token.filter(|token| !token.is_empty()),
            withheld_address: granted.withheld_address.map(PeerText::from),
            heartbeat_interval: heartbeat_interval.clamp(shortest, longest),
            granted_at,
            renew_after: renew_after(expires_at.saturating_sub(granted_at)),
        })
    }
}

fn renew_after(lifetime_secs: u64) -> Duration {
    Duration::from_secs(lifetime_secs)
        .min(LONGEST_RENEWAL_WAIT)
        .mul_f64(RENEW_AFTER)
        .max(SHORTEST_RENEWAL_WAIT)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_renewal_is_due_at_a_fifth_of_its_life_after_a_pause() {
        assert_eq!(renew_after(3600), Duration::from_secs(2880));
        assert_eq!(renew_after(0), SHORTEST_RENEWAL_WAIT);
        assert!(renew_after(u64::MAX) <= LONGEST_RENEWAL_WAIT);
    }
}
