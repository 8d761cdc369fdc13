//! What proves an identity: claims, signed by the registry with Ed25519.

use std::fmt;

use bytes::Bytes;
use data_encoding::{BASE64, HEXLOWER, HEXLOWER_PERMISSIVE};
use prost::Message as _;
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use thiserror::Error;

use crate::{
    identity::{ActrId, ParseActrIdError},
    possession::HolderKey,
    proto,
};

/// The most bytes that a credential or an id may have in a header or a query: several times what any real one has.
pub const MAX_ENCODED_LEN: usize = 1024;

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
        VerifyingKey {
            key_id: self.key_id,
            key: public_key,
        }
    }

    /// Signs that `id` is genuine until `expires_at` (Unix seconds). With a `holder` only those who have its private key can
    /// use the credential; without one, whoever knows it.
    pub fn issue(&self, id: &ActrId, expires_at: u64, holder: Option<&HolderKey>) -> Credential {
        let claims: Bytes = proto::IdentityClaims {
            realm_id: id.realm_id(),
            actor_id: id.to_string(),
            expires_at,
            holder_key: holder.map(|holder| Bytes::copy_from_slice(&holder.to_bytes())),
        }
        .encode_to_vec()
        .into();
        let signature = self.key.sign(&claims);
        Credential(proto::AIdCredential {
            key_id: self.key_id,
            claims,
            signature: Bytes::copy_from_slice(signature.as_ref()),
        })
    }
}

/// A registry's public key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifyingKey {
    key_id: u32,
    key: [u8; 32],
}

impl VerifyingKey {
    /// A key as the registry sends it.
    ///
    /// # Errors
    /// When `bytes` are not 32. That 32 bytes are no key shows when they verify no signature.
    pub fn from_bytes(key_id: u32, bytes: &[u8]) -> Result<Self, CredentialError> {
        let key = bytes.try_into().map_err(|_| CredentialError::Key { key_id })?;
        Ok(Self { key_id, key })
    }

    /// The key's number.
    pub fn key_id(&self) -> u32 {
        self.key_id
    }

    /// The key as it is sent.
    pub fn to_bytes(&self) -> [u8; 32] {
        self.key
    }

    /// Checks that `credential` is one of `source` at the time `now` (Unix seconds). Whoever shows it is `source` only if
    /// the [holder's key](Verified::holder) is proven too, where there is one.
    ///
    /// # Errors
    /// The first of the checks that fails: key number, signature, expiry, id, holder's key.
    pub fn verify(&self, credential: &Credential, source: &ActrId, now: u64) -> Result<Verified, CredentialError> {
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
        let claims = proto::IdentityClaims::decode(message.claims.clone()).map_err(|_| CredentialError::Claims)?;
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

/// What a verified credential states beside the id.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "the holder's key has to be proven"]
pub struct Verified {
    /// Unix time in seconds from which on it is worthless.
    pub expires_at: u64,
    /// The key whose possession has to be proven by whoever shows the credential; without one it is enough to know it.
    pub holder: Option<HolderKey>,
}

fn holder_key(claims: &proto::IdentityClaims) -> Result<Option<HolderKey>, CredentialError> {
    let bytes = claims.holder_key.as_deref();
    bytes
        .map(HolderKey::from_bytes)
        .transpose()
        .map_err(|_| CredentialError::Claims)
}

/// A credential that is not verified yet. Its `Debug` output is useless as a proof.
#[derive(Clone, PartialEq)]
pub struct Credential(proto::AIdCredential);

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credential")
            .field("key_id", &self.0.key_id)
            .finish_non_exhaustive()
    }
}

impl Credential {
    /// The key that it claims to be signed with.
    pub fn key_id(&self) -> u32 {
        self.0.key_id
    }

    /// The holder's key that it claims to name, if it does. What can't be read names none.
    pub fn claimed_holder(&self) -> Option<HolderKey> {
        let claims = proto::IdentityClaims::decode(self.0.claims.clone()).ok()?;
        holder_key(&claims).ok().flatten()
    }

    /// The signed bytes.
    pub fn claims(&self) -> &[u8] {
        &self.0.claims
    }

    /// The signature.
    pub fn signature(&self) -> &[u8] {
        &self.0.signature
    }

    /// The value of the data lane's `X-Actr-Credential` header: standard base64 of the encoded message.
    pub fn to_header(&self) -> String {
        BASE64.encode(&self.0.encode_to_vec())
    }

    /// Reads what [`Self::to_header`] writes.
    ///
    /// # Errors
    /// When it is not base64 of the message.
    pub fn from_header(value: &[u8]) -> Result<Self, CredentialError> {
        let malformed = || CredentialError::Malformed("credential");
        if value.len() > MAX_ENCODED_LEN {
            return Err(malformed());
        }
        let bytes = BASE64.decode(value).map_err(|_| malformed())?;
        let message = proto::AIdCredential::decode(bytes.as_slice()).map_err(|_| malformed())?;
        Ok(Self(message))
    }
}

impl From<proto::AIdCredential> for Credential {
    fn from(message: proto::AIdCredential) -> Self {
        Self(message)
    }
}

impl From<Credential> for proto::AIdCredential {
    fn from(credential: Credential) -> Self {
        credential.0
    }
}

/// The value of the data lane's `X-Actr-Source-ID` header: hex of the encoded id.
pub fn source_id_to_header(id: &ActrId) -> String {
    HEXLOWER.encode(&proto::ActrId::from(id).encode_to_vec())
}

/// Reads what [`source_id_to_header`] writes.
///
/// # Errors
/// When it is not hex of an id.
pub fn source_id_from_header(value: &[u8]) -> Result<ActrId, CredentialError> {
    let malformed = || CredentialError::Malformed("source id");
    if value.len() > MAX_ENCODED_LEN {
        return Err(malformed());
    }
    let bytes = HEXLOWER_PERMISSIVE.decode(value).map_err(|_| malformed())?;
    let message = proto::ActrId::decode(bytes.as_slice()).map_err(|_| malformed())?;
    Ok(ActrId::try_from(&message)?)
}

/// Why a credential proves nothing.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum CredentialError {
    /// A header or a query is not what it should be.
    #[error("the {0} can't be decoded")]
    Malformed(&'static str),
    /// The id is of the right form and not an id.
    #[error("the source id is not valid: {0}")]
    SourceId(#[from] ParseActrIdError),
    /// A public key is not one.
    #[error("signing key {key_id} is not an Ed25519 public key of 32 bytes")]
    Key {
        /// The key's number.
        key_id: u32,
    },
    /// Another key signed it.
    #[error("the credential is signed with key {actual}, not with key {expected}")]
    OtherKey {
        /// The key it was checked with.
        expected: u32,
        /// The key it names.
        actual: u32,
    },
    /// The signature is not of these claims by this key.
    #[error("the credential's signature is wrong")]
    Signature,
    /// The claims can't be decoded.
    #[error("the credential's claims can't be decoded")]
    Claims,
    /// Its time is over.
    #[error("the credential expired at {expires_at} (Unix seconds); now it is {now}")]
    Expired {
        /// When it ended.
        expires_at: u64,
        /// When it was checked.
        now: u64,
    },
    /// It proves another actor.
    #[error("the credential belongs to {claimed}, not to {shown_by}")]
    OtherActor {
        /// Whose it is.
        claimed: String,
        /// Who showed it.
        shown_by: ActrId,
    },
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::possession::Prover;

    const NOW: u64 = 1_000;

    fn key() -> SigningKey {
        SigningKey::new(7, &[3; 32])
    }

    fn id(serial: u64) -> ActrId {
        ActrId::new(1, serial, "acme+Echo".parse().unwrap())
    }

    #[test]
    fn a_credential_proves_its_actor_until_it_expires() {
        let credential = key().issue(&id(5), NOW + 1, None);
        let verifying = key().verifying_key();
        assert_eq!(
            verifying.verify(&credential, &id(5), NOW),
            Ok(Verified {
                expires_at: NOW + 1,
                holder: None
            })
        );
        assert_eq!(
            verifying.verify(&credential, &id(5), NOW + 1),
            Err(CredentialError::Expired {
                expires_at: NOW + 1,
                now: NOW + 1
            })
        );
    }

    #[test]
    fn the_holders_key_is_part_of_what_is_signed() {
        let holder = Prover::new(&[5; 32]).holder_key();
        let credential = key().issue(&id(5), NOW + 1, Some(&holder));
        assert_eq!(credential.claimed_holder().as_ref(), Some(&holder));
        let verified = key().verifying_key().verify(&credential, &id(5), NOW).unwrap();
        assert_eq!(verified.holder, Some(holder));
    }

    #[test]
    fn a_holders_key_that_is_none_is_not_passed_over() {
        let claims = proto::IdentityClaims {
            realm_id: 1,
            actor_id: id(5).to_string(),
            expires_at: NOW + 1,
            holder_key: Some(Bytes::from_static(&[7; 31])),
        };
        let claims = Bytes::from(claims.encode_to_vec());
        let signature = Bytes::copy_from_slice(key().key.sign(&claims).as_ref());
        let credential = Credential(proto::AIdCredential {
            key_id: 7,
            claims,
            signature,
        });
        let result = key().verifying_key().verify(&credential, &id(5), NOW);
        assert_eq!(result, Err(CredentialError::Claims));
    }

    #[test]
    fn a_credential_proves_nobody_else() {
        let credential = key().issue(&id(5), NOW + 1, None);
        let error = key().verifying_key().verify(&credential, &id(6), NOW).unwrap_err();
        assert!(matches!(error, CredentialError::OtherActor { .. }), "{error}");
    }

    #[test]
    fn a_changed_bit_in_claims_or_signature_is_noticed() {
        let Credential(message) = key().issue(&id(5), NOW + 1, None);
        for bit in 0..8 {
            for field in [0, 1] {
                let mut forged = message.clone();
                let target = if field == 0 {
                    &mut forged.claims
                } else {
                    &mut forged.signature
                };
                let mut bytes = target.to_vec();
                bytes[bit] ^= 1 << bit;
                *target = bytes.into();
                let result = key().verifying_key().verify(&Credential(forged), &id(5), NOW);
                assert_eq!(result, Err(CredentialError::Signature));
            }
        }
    }

    #[test]
    fn a_key_of_another_registry_proves_nothing() {
        let credential = SigningKey::new(7, &[4; 32]).issue(&id(5), NOW + 1, None);
        assert_eq!(
            key().verifying_key().verify(&credential, &id(5), NOW),
            Err(CredentialError::Signature)
        );
        let credential = SigningKey::new(8, &[3; 32]).issue(&id(5), NOW + 1, None);
        assert!(matches!(
            key().verifying_key().verify(&credential, &id(5), NOW),
            Err(CredentialError::OtherKey { expected: 7, actual: 8 })
        ));
    }

    #[test]
    fn the_public_key_is_that_of_rfc_8032() {
        // Section 7.1, test 1.
        let digits = |text: &str| HEXLOWER.decode(text.as_bytes()).unwrap();
        let secret = digits("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60");
        let public = digits("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a");
        let key = SigningKey::new(7, &secret.try_into().unwrap()).verifying_key();
        assert_eq!(key.to_bytes().as_slice(), public);
    }

    #[test]
    fn bytes_that_are_no_key_verify_nothing() {
        assert_eq!(
            VerifyingKey::from_bytes(7, &[2; 31]),
            Err(CredentialError::Key { key_id: 7 })
        );
        // No point of the curve has this as its y coordinate.
        let no_point = VerifyingKey::from_bytes(7, &[2; 32]).unwrap();
        let credential = key().issue(&id(5), NOW + 1, None);
        assert_eq!(
            no_point.verify(&credential, &id(5), NOW),
            Err(CredentialError::Signature)
        );
    }

    #[test]
    fn the_headers_give_back_what_was_written() {
        let credential = key().issue(&id(5), NOW, None);
        assert_eq!(
            Credential::from_header(credential.to_header().as_bytes()),
            Ok(credential)
        );
        assert_eq!(source_id_from_header(source_id_to_header(&id(5)).as_bytes()), Ok(id(5)));
        for header in ["", "zz", "0", "ff"] {
            assert!(source_id_from_header(header.as_bytes()).is_err());
        }
        assert!(Credential::from_header(b"!").is_err());
        assert!(Credential::from_header("A".repeat(MAX_ENCODED_LEN + 4).as_bytes()).is_err());
    }
}
