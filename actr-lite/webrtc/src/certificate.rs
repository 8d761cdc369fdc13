//! Who a node is to DTLS.

use std::fmt;

use str0m::{config::DtlsCert, crypto::from_feature_flags};
use thiserror::Error;

/// A self-signed certificate. Its fingerprint goes to the peer with each offer and answer, so one does for all sessions of
/// a node; making it takes some ten milliseconds.
#[derive(Clone)]
pub struct Certificate(DtlsCert);

/// There is no certificate.
#[derive(Debug, Error)]
#[error("no DTLS certificate can be made")]
pub struct NoCertificate;

impl Certificate {
    /// A new one.
    ///
    /// # Errors
    /// If the cryptography can't make one.
    pub fn generate() -> Result<Self, NoCertificate> {
        let certificate = from_feature_flags().dtls_provider.generate_certificate();
        certificate.map(Self).ok_or(NoCertificate)
    }

    pub(crate) fn dtls(&self) -> DtlsCert {
        self.0.clone()
    }
}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Certificate")
    }
}
