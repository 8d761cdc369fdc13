use std::time::Duration;

use actr_lite_wire::{
    credential::{SigningKey, VerifyingKey},
    identity::ActrId,
    proto::{RegisterResponse, TurnCredential, register_response, register_response::RegisterOk},
};
use bytes::Bytes;

use crate::{
    clock::timestamp_of,
    directory::{RENEWAL_TOKEN_LEN, RenewalToken},
};

/// How long a renewal token is good: a day lets a node come back from a long sleep under its own id, and is the
/// longest that a stolen token helps.
const RENEWAL_TOKEN_LIFETIME: Duration = Duration::from_secs(24 * 60 * 60);

/// What proves identities: the one place that makes secrets, with the system's randomness.
pub(crate) struct Authority {
    key: SigningKey,
    credential_lifetime: Duration,
    heartbeat_interval: Duration,
}

impl Authority {
    /// A new key with a random number, so that a credential of an earlier life of this registry is seen as such.
    pub(crate) fn new(credential_lifetime: Duration, heartbeat_interval: Duration) -> Self {
        Self {
            key: SigningKey::new(rand::random(), &rand::random()),
            credential_lifetime,
            heartbeat_interval,
        }
    }

    pub(crate) fn verifying_key(&self) -> VerifyingKey {
        self.key.verifying_key()
    }

    /// A new secret for a node's next renewal.
    pub(crate) fn renewal_token(&self, unix_now: u64) -> RenewalToken {
        RenewalToken {
            secret: rand::random::<[u8; RENEWAL_TOKEN_LEN]>(),
            expires_at: unix_now.saturating_add(RENEWAL_TOKEN_LIFETIME.as_secs()),
        }
    }

    /// The answer to a registration or a renewal that was granted.
    pub(crate) fn grant(&self, id: &ActrId, token: &RenewalToken, unix_now: u64) -> RegisterResponse {
        let expires_at = unix_now.saturating_add(self.credential_lifetime.as_secs());
        let key = self.key.verifying_key();
        let granted = RegisterOk {
            actr_id: id.into(),
            credential: self.key.issue(id, expires_at).into(),
            turn_credential: no_relay(),
            credential_expires_at: Some(timestamp_of(expires_at)),
            signaling_heartbeat_interval_secs: self.heartbeat_interval_secs(),
            signing_pubkey: Bytes::copy_from_slice(&key.to_bytes()),
            signing_key_id: key.key_id(),
            renewal_token: Some(Bytes::copy_from_slice(&token.secret)),
            renewal_token_expires_at: Some(timestamp_of(token.expires_at)),
        };
        RegisterResponse {
            result: Some(register_response::Result::Success(granted)),
        }
    }

    /// The heartbeat interval as nodes are told it: whole seconds, rounded up.
    pub(crate) fn heartbeat_interval_secs(&self) -> u32 {
        u32::try_from(self.heartbeat_interval.as_millis().div_ceil(1000)).unwrap_or(u32::MAX)
    }
}

/// The protocol requires the field; this registry runs no TURN relay, and an end in 1970 says so.
fn no_relay() -> TurnCredential {
    TurnCredential {
        username: String::new(),
        password: String::new(),
        expires_at: 0,
    }
}
