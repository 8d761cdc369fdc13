use thiserror::Error;

use crate::identity::{ActrId, ParseActrIdError};

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
