use std::fmt;

use data_encoding::BASE64;
use prost::Message as _;

use super::credential_error::CredentialError;
use crate::{possession::HolderKey, proto};

/// The most bytes that a credential or an id may have in a header or a query: several times what any real one has.
pub const MAX_ENCODED_LEN: usize = 1024;

/// A credential that is not verified yet. Its `Debug` output is useless as a proof.
#[derive(Clone, PartialEq)]
pub struct Credential(pub(super) proto::AIdCredential);

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

pub(super) fn holder_key(claims: &proto::IdentityClaims) -> Result<Option<HolderKey>, CredentialError> {
    let bytes = claims.holder_key.as_deref();
    bytes
        .map(HolderKey::from_bytes)
        .transpose()
        .map_err(|_| CredentialError::Claims)
}
