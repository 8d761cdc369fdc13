use std::{fmt::Display, time::Duration};

use actr_lite_wire::{
    credential::VerifyingKey,
    identity::ActrId,
    peer_text::PeerText,
    proto::{
        self, RegisterResponse,
        register_response::{self, RegisterOk},
    },
};
use prost::Message as _;
use prost_types::Timestamp;

use crate::{
    error::RegistryLinkError, identity::Identity, renewal_token::RenewalToken, turn_credential::TurnCredential,
};

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

/// An identity and what keeps it.
#[derive(Debug, Clone, PartialEq)]
pub struct Registration {
    pub(crate) identity: Identity,
    pub(crate) renewal_token: Option<RenewalToken>,
    /// Why nobody is told the node's address, if that is so.
    pub(crate) withheld_address: Option<PeerText>,
    pub(crate) heartbeat_interval: Duration,
    /// When it was given, in Unix seconds by the registry's calendar.
    pub(crate) granted_at: u64,
    /// How long after that the credential is to be renewed.
    pub(crate) renew_after: Duration,
}

impl Registration {
    /// What AIS answered to `request` at `answered_at`, in Unix seconds by its own calendar.
    ///
    /// # Errors
    /// When it refuses, or what it grants can't be used.
    pub fn from_response(
        request: &'static str,
        response: RegisterResponse,
        answered_at: u64,
    ) -> Result<Self, RegistryLinkError> {
        match response.result {
            Some(register_response::Result::Success(granted)) => Self::granted(request, granted, answered_at),
            Some(register_response::Result::Error(error)) => Err(RegistryLinkError::refused(request, error)),
            None => Err(RegistryLinkError::malformed(request, &"it is empty")),
        }
    }

    fn granted(request: &'static str, granted: RegisterOk, granted_at: u64) -> Result<Self, RegistryLinkError> {
        let malformed = |what: &dyn Display| RegistryLinkError::malformed(request, what);
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
                turn: TurnCredential::granted(granted.turn_credential, &granted.turn_urls),
            },
            renewal_token: granted
                .renewal_token
                .filter(|token| !token.is_empty())
                .map(RenewalToken),
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
