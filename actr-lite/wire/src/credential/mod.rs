//! What proves an identity: claims, signed by the registry with Ed25519.
//!
//! - [`SigningKey`]: the registry's private key, which issues a [`Credential`]
//! - [`VerifyingKey`]: its public key, which tells whether a credential is [`Genuine`]
//! - [`Verified`]: what a genuine credential states of who shows it
//! - [`KnownCredentials`]: which credentials were found genuine already

mod credential_error;
mod known_credentials;
mod signing_key;
mod source_id;
mod unverified;
mod verifying_key;

pub use credential_error::CredentialError;
pub use known_credentials::KnownCredentials;
pub use signing_key::SigningKey;
pub use source_id::{source_id_from_header, source_id_to_header};
pub use unverified::{Credential, MAX_ENCODED_LEN};
pub use verifying_key::{Genuine, Verified, VerifyingKey};

#[cfg(test)]
mod tests;
