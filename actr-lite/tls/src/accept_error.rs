use std::io;

use rustls::{AlertDescription, Error};
use thiserror::Error;

use crate::{handshake_error::tls_error, words};

/// Why a connection that was accepted has no TLS.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum AcceptError {
    /// The peer sent nothing at all, which is not an error of its own.
    #[error("the peer sent nothing")]
    Silent,
    /// The peer sent something else.
    #[error("not TLS: this port accepts only TLS")]
    NotTls,
    /// The handshake did not end in time.
    #[error("the TLS handshake took too long")]
    TooSlow,
    /// The peer closed the connection in the middle.
    #[error("the connection ended within the TLS handshake")]
    Cut,
    /// The peer does not accept the certificate.
    #[error("the peer does not accept the certificate of this side: {0}")]
    CertificateRefused(&'static str),
    /// Anything else.
    #[error("the TLS handshake failed: {0}")]
    Failed(String),
}

impl AcceptError {
    pub(crate) fn from_io(error: &io::Error) -> Self {
        match tls_error(error) {
            Some(error @ Error::AlertReceived(alert)) => match alert {
                AlertDescription::UnknownCA => Self::CertificateRefused("it does not trust the CA"),
                AlertDescription::CertificateExpired => Self::CertificateRefused("it is expired, or not valid yet"),
                AlertDescription::BadCertificate
                | AlertDescription::CertificateUnknown
                | AlertDescription::UnsupportedCertificate => {
                    Self::CertificateRefused("it is not for the name that the peer has dialled, or not valid")
                }
                _ => Self::Failed(words::of_error(error)),
            },
            Some(error) => Self::Failed(words::of_error(error)),
            // Whatever else the system says: the connection is gone.
            None => Self::Cut,
        }
    }
}
