use bytes::Bytes;
use prost::Message as _;
use ring::signature::{Ed25519KeyPair, KeyPair as _};

use super::{unverified::Credential, verifying_key::VerifyingKey};
use crate::{identity::ActrId, possession::HolderKey, proto};

/// The registry's private key. Its number and its bytes come from a caller that has randomness.
pub struct SigningKey {
    key_id: u32,
    key: Ed25519KeyPair,
}

impl SigningKey {
    /// A key from 32 secret random bytes.
    #[expect(clippy::expect_used, reason = "only another length is refused")]
    pub fn new(key_id: u32, secret: &[u8; 32]) -> Self {
        Self {
            key_id,
            key: Ed25519KeyPair::from_seed_unchecked(secret).expect("32 bytes"),
        }
    }

    /// The part that everybody may know.
    pub fn verifying_key(&self) -> VerifyingKey {
        let mut public_key = [0; 32];
        public_key.copy_from_slice(self.key.public_key().as_ref());
        VerifyingKey::new(self.key_id, public_key)
    }

    /// Signs that `id` is genuine until `expires_at` (Unix seconds). With a `holder` only those who have its private key can
    /// use the credential; without one, whoever knows it.
    pub fn issue(&self, id: &ActrId, expires_at: u64, holder: Option<&HolderKey>) -> Credential {
        let claims = proto::IdentityClaims {
            realm_id: id.realm_id(),
            actor_id: id.to_string(),
            expires_at,
            holder_key: holder.map(|holder| Bytes::copy_from_slice(&holder.to_bytes())),
        };
        self.sign(claims.encode_to_vec().into())
    }

    pub(super) fn sign(&self, claims: Bytes) -> Credential {
        let signature = self.key.sign(&claims);
        Credential(proto::AIdCredential {
            key_id: self.key_id,
            claims,
            signature: Bytes::copy_from_slice(signature.as_ref()),
        })
    }
}
