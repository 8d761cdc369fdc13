use std::{
    io,
    net::IpAddr,
    time::{Duration, UNIX_EPOCH},
};

use rustls::{AlertDescription, CertificateError, Error, InvalidMessage};
use rustls_pki_types::UnixTime;
use thiserror::Error;

use crate::{file_error::TlsFileError, words};

/// The most names of a certificate that an error shows.
const MAX_SHOWN_NAMES: usize = 8;

/// Why the TLS handshake with a dialled server failed, and what to do.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum HandshakeError {
    /// The CAs of this side can't be used.
    #[error(transparent)]
    Files(#[from] TlsFileError),
    /// The dialled host is not a name or address that a certificate could have.
    #[error("{0:?} is not a host name or IP address that a certificate can be for")]
    NotAName(String),
    /// The server speaks something else.
    #[error(
        "it does not speak TLS: write ws:// instead of wss://, or give it a certificate (system.tls.cert and key of its \
         Actr.toml, or --tls-cert and --tls-key of actr-lite-registry)"
    )]
    NotTls,
    /// The certificate's issuer is not trusted.
    #[error(
        "its certificate is signed by a CA that is not trusted here: trust is set by {trusted}; name the file of the \
         right CA in system.tls.ca"
    )]
    UnknownCa {
        /// Where the trusted CAs come from.
        trusted: String,
    },
    /// The certificate is for another name.
    #[error(
        "its certificate is for {names}, not for {host}: dial it by one of its names, or give it a certificate for \
         {host}"
    )]
    WrongName {
        /// What was dialled.
        host: String,
        /// What the certificate is for.
        names: String,
    },
    /// The certificate has expired.
    #[error("its certificate has expired{0}: give it a new one, which it reads on SIGHUP")]
    Expired(String),
    /// The certificate is not valid yet.
    #[error("its certificate is not valid yet{0}: set the clocks of both sides right, or give it another one")]
    NotYetValid(String),
    /// The certificate is not valid.
    #[error("its certificate cannot be accepted: {0}")]
    BadCertificate(String),
    /// The two sides have too little in common.
    #[error(
        "it has no version of TLS, or no cipher, in common with this side, which speaks TLS 1.2 and 1.3: update its TLS"
    )]
    Incompatible,
    /// The server closed the connection.
    #[error("it closed the connection within the TLS handshake: it may be shutting down, or have too many connections")]
    Cut,
    /// The connection broke.
    #[error("the connection broke within the TLS handshake: {0}")]
    Broken(io::Error),
    /// Anything else.
    #[error("the TLS handshake failed: {0}")]
    Failed(String),
}

impl HandshakeError {
    /// Whether the next handshake would fail too, until somebody changes something at one of the two sides. Waiting may
    /// help where the server is only busy, or where a clock is behind.
    pub fn is_final(&self) -> bool {
        match self {
            Self::Files(_)
            | Self::NotAName(_)
            | Self::NotTls
            | Self::UnknownCa { .. }
            | Self::WrongName { .. }
            | Self::Expired(_)
            | Self::BadCertificate(_)
            | Self::Incompatible => true,
            Self::NotYetValid(_) | Self::Cut | Self::Broken(_) | Self::Failed(_) => false,
        }
    }

    /// What became of the handshake with `host`; `trusted` is what says whom to trust.
    pub(crate) fn from_io(error: io::Error, host: &str, trusted: impl FnOnce() -> String) -> Self {
        let Some(tls) = tls_error(&error) else {
            return match error.kind() {
                // One that hangs up with something unread resets the connection.
                io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe => Self::Cut,
                _ => Self::Broken(error),
            };
        };
        of_tls(tls, host, trusted)
    }
}

/// What an error of the TLS library comes to in a handshake with `host`; `trusted` is what says whom to trust.
pub(crate) fn of_tls(error: &Error, host: &str, trusted: impl FnOnce() -> String) -> HandshakeError {
    match error {
        Error::InvalidMessage(
            InvalidMessage::InvalidContentType
            | InvalidMessage::UnknownProtocolVersion
            | InvalidMessage::MessageTooLarge,
        ) => HandshakeError::NotTls,
        Error::InvalidCertificate(problem) => match problem {
            // One that another CA of the same name has signed has a wrong signature.
            CertificateError::UnknownIssuer | CertificateError::BadSignature => {
                HandshakeError::UnknownCa { trusted: trusted() }
            }
            CertificateError::NotValidForName => HandshakeError::WrongName {
                host: host.into(),
                names: "other names".into(),
            },
            CertificateError::NotValidForNameContext { presented, .. } => HandshakeError::WrongName {
                host: host.into(),
                names: names(presented),
            },
            CertificateError::Expired => HandshakeError::Expired(String::new()),
            CertificateError::ExpiredContext { not_after, .. } => {
                HandshakeError::Expired(format!(", on {}", date(not_after)))
            }
            CertificateError::NotValidYet => HandshakeError::NotYetValid(String::new()),
            CertificateError::NotValidYetContext { not_before, .. } => {
                HandshakeError::NotYetValid(format!(", but from {} on", date(not_before)))
            }
            problem => HandshakeError::BadCertificate(words::of_certificate(problem).into()),
        },
        Error::PeerIncompatible(_)
        | Error::AlertReceived(AlertDescription::ProtocolVersion | AlertDescription::HandshakeFailure) => {
            HandshakeError::Incompatible
        }
        problem => HandshakeError::Failed(words::of_error(problem)),
    }
}

/// What the TLS library says, if the error is its own.
pub(crate) fn tls_error(error: &io::Error) -> Option<&Error> {
    error.get_ref()?.downcast_ref()
}

/// The names of a certificate; rustls shows them as `DnsName("localhost")` and `IpAddress(127.0.0.1)`.
fn names(presented: &[String]) -> String {
    if presented.is_empty() {
        return "no name at all".into();
    }
    let bare = |name: &String| {
        let inner = name.split_once('(').map_or(name.as_str(), |(_, rest)| rest);
        let inner = inner.trim_end_matches(')').trim_matches('"');
        // Addresses are not always shown in their shortest form.
        inner
            .parse()
            .map_or_else(|_| inner.to_owned(), |address: IpAddr| address.to_string())
    };
    let mut names: Vec<_> = presented.iter().take(MAX_SHOWN_NAMES).map(bare).collect();
    if presented.len() > MAX_SHOWN_NAMES {
        names.push(format!("{} more", presented.len() - MAX_SHOWN_NAMES));
    }
    names.join(", ")
}

fn date(time: &UnixTime) -> String {
    // A time that no calendar has is not worth an error of its own.
    let time = UNIX_EPOCH.checked_add(Duration::from_secs(time.as_secs()));
    time.filter(|time| *time < UNIX_EPOCH + LAST_DATE)
        .map_or_else(|| "a day beyond the calendar".into(), httpdate::fmt_http_date)
}

/// The first second of the year 9999: dates of HTTP have four digits for the year.
const LAST_DATE: Duration = Duration::from_secs(253_370_764_800);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_shown_as_people_write_them_and_not_too_many() {
        assert_eq!(names(&[]), "no name at all");
        let presented = ["DnsName(\"localhost\")".to_owned(), "IpAddress(0::1)".to_owned()];
        assert_eq!(names(&presented), "localhost, ::1");
        let many: Vec<_> = (0..10).map(|number| format!("DnsName(\"{number}\")")).collect();
        assert_eq!(names(&many), "0, 1, 2, 3, 4, 5, 6, 7, 2 more");
    }

    #[test]
    fn only_what_somebody_must_change_is_final() {
        let handshake = |error: &Error| of_tls(error, "registry.test", || "a file".into());
        for problem in [
            CertificateError::UnknownIssuer,
            CertificateError::NotValidForName,
            CertificateError::Expired,
            CertificateError::BadEncoding,
        ] {
            let error = handshake(&Error::InvalidCertificate(problem));
            assert!(error.is_final(), "{error}");
        }
        let no_tls = Error::InvalidMessage(InvalidMessage::InvalidContentType);
        assert!(handshake(&no_tls).is_final());
        assert!(handshake(&Error::AlertReceived(AlertDescription::ProtocolVersion)).is_final());

        let early = Error::InvalidCertificate(CertificateError::NotValidYet);
        assert!(!handshake(&early).is_final(), "a clock may be set");
        assert!(!handshake(&Error::AlertReceived(AlertDescription::InternalError)).is_final());
        assert!(!HandshakeError::Cut.is_final(), "it may be restarting");
    }

    #[test]
    fn a_date_is_shown_if_there_is_one() {
        let at = |seconds| date(&UnixTime::since_unix_epoch(Duration::from_secs(seconds)));
        assert_eq!(at(0), "Thu, 01 Jan 1970 00:00:00 GMT");
        assert_eq!(at(u64::MAX), "a day beyond the calendar");
        assert_eq!(at(253_370_764_800), "a day beyond the calendar");
    }
}
