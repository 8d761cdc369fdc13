use bytes::Bytes;
use prost::Message as _;
use ring::{
    digest::{self, SHA256, SHA256_OUTPUT_LEN},
    signature::{ED25519, UnparsedPublicKey},
};

use super::{
    credential_error::CredentialError,
    unverified::{Credential, holder_key},
};
use crate::{identity::ActrId, possession::HolderKey, proto};

/// A registry's public key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifyingKey {
    key_id: u32,
    key: [u8; 32],
}

impl VerifyingKey {
    pub(super) fn new(key_id: u32, key: [u8; 32]) -> Self {
        Self { key_id, key }
    }

    /// A key as the registry sends it.
    ///
    /// # Errors
    /// When `bytes` are not 32. That 32 bytes are no key shows when they verify no signature.
    pub fn from_bytes(key_id: u32, bytes: &[u8]) -> Result<Self, CredentialError> {
        let key = bytes.try_into().map_err(|_| CredentialError::Key { key_id })?;
        Ok(Self::new(key_id, key))
    }

    /// The key's number.
    pub fn key_id(&self) -> u32 {
        self.key_id
    }

    /// The key as it is sent.
    pub fn to_bytes(&self) -> [u8; 32] {
        self.key
    }

    /// Checks that this key has signed `credential`: key number, then signature. What that says is not looked at.
    ///
    /// # Errors
    /// When it has not.
    pub fn authenticate(&self, credential: &Credential) -> Result<Genuine, CredentialError> {
        let Credential(message) = credential;
        if message.key_id != self.key_id {
            return Err(CredentialError::OtherKey {
                expected: self.key_id,
                actual: message.key_id,
            });
        }
        UnparsedPublicKey::new(&ED25519, &self.key)
            .verify(&message.claims, &message.signature)
            .map_err(|_| CredentialError::Signature)?;
        Ok(Genuine::new(self, credential))
    }

    /// Checks that `credential` is one of `source` at the time `now` (Unix seconds). Whoever shows it is `source` only if
    /// the [holder's key](Verified::holder) is proven too, where there is one.
    ///
    /// # Errors
    /// The first of the checks that fails: key number, signature, expiry, id, holder's key.
    pub fn verify(&self, credential: &Credential, source: &ActrId, now: u64) -> Result<Verified, CredentialError> {
        self.authenticate(credential)?.verify(source, now)
    }
}

/// A credential that the registry has signed. It may have expired, and be another's than whose shows it.
#[derive(Debug, Clone)]
pub struct Genuine {
    claims: Bytes,
    fingerprint: Fingerprint,
}

impl Genuine {
    /// To be made only of a credential that this key has signed.
    pub(super) fn new(key: &VerifyingKey, Credential(message): &Credential) -> Self {
        Self {
            claims: message.claims.clone(),
            fingerprint: Fingerprint::new(key, message),
        }
    }

    pub(super) fn fingerprint(&self) -> Fingerprint {
        self.fingerprint
    }

    /// Checks that it is one of `source` at the time `now` (Unix seconds). Whoever shows it is `source` only if the
    /// [holder's key](Verified::holder) is proven too, where there is one.
    ///
    /// # Errors
    /// The first of the checks that fails: expiry, id, holder's key.
    pub fn verify(&self, source: &ActrId, now: u64) -> Result<Verified, CredentialError> {
        let claims = proto::IdentityClaims::decode(self.claims.clone()).map_err(|_| CredentialError::Claims)?;
        if claims.expires_at <= now {
            return Err(CredentialError::Expired {
                expires_at: claims.expires_at,
                now,
            });
        }
        if claims.actor_id != source.to_string() || claims.realm_id != source.realm_id() {
            return Err(CredentialError::OtherActor {
                claimed: claims.actor_id,
                shown_by: source.clone(),
            });
        }
        Ok(Verified {
            expires_at: claims.expires_at,
            holder: holder_key(&claims)?,
        })
    }
}

/// Tells a key with what it has signed from every other (SHA-256).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Fingerprint([u8; SHA256_OUTPUT_LEN]);

impl Fingerprint {
    pub(super) fn new(key: &VerifyingKey, message: &proto::AIdCredential) -> Self {
        let mut digest = digest::Context::new(&SHA256);
        digest.update(&key.key_id.to_be_bytes());
        digest.update(&key.key);
        // What has a length of its own comes last, behind the length of what has none.
        digest.update(&message.claims.len().to_be_bytes());
        digest.update(&message.claims);
        digest.update(&message.signature);
        let mut bytes = [0; SHA256_OUTPUT_LEN];
        bytes.copy_from_slice(digest.finish().as_ref());
        Self(bytes)
    }
}

/// What a verified credential states beside the id.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "the holder's key has to be proven"]
pub struct Verified {
    /// Unix time in seconds from which on it is worthless.
    pub expires_at: u64,
    /// The key whose possession has to be proven by whoever shows the credential; without one it is enough to know it.
    pub holder: Option<HolderKey>,
}
