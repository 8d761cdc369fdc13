//! What the TLS library says, in words: its own texts hold names of its types.

use rustls::{AlertDescription, CertificateError, Error};

/// What went wrong.
pub(crate) fn of_error(error: &Error) -> String {
    match error {
        Error::AlertReceived(alert) => format!("the peer says: {}", of_alert(*alert)),
        Error::InvalidCertificate(problem) => {
            format!("the certificate cannot be accepted: {}", of_certificate(problem))
        }
        Error::PeerIncompatible(_) => "the two sides have no version of TLS, or no cipher, in common".into(),
        Error::InvalidMessage(_) => "a message is malformed".into(),
        Error::InappropriateMessage { .. } | Error::InappropriateHandshakeMessage { .. } => {
            "a message is not the one that has to come next".into()
        }
        Error::PeerMisbehaved(_) => "the peer does not keep to the rules of TLS".into(),
        Error::NoCertificatesPresented => "the peer has no certificate".into(),
        Error::DecryptError => "a message cannot be decrypted".into(),
        Error::General(text) => text.clone(),
        _ => "the TLS library gives no reason".into(),
    }
}

/// What is wrong with a certificate.
pub(crate) fn of_certificate(problem: &CertificateError) -> &'static str {
    match problem {
        CertificateError::BadEncoding => "it is malformed",
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => "it has expired",
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => "it is not valid yet",
        CertificateError::Revoked => "it is revoked",
        CertificateError::UnhandledCriticalExtension => "it has a critical extension that is not known here",
        CertificateError::UnknownIssuer => "it is signed by a CA that is not trusted here",
        CertificateError::BadSignature => "its signature is wrong",
        CertificateError::UnsupportedSignatureAlgorithmContext { .. }
        | CertificateError::UnsupportedSignatureAlgorithmForPublicKeyContext { .. } => {
            "it is signed in a way that is not known here"
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => "it is for another name",
        CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => "it is not for servers",
        CertificateError::Other(_) => "it is none that a server can have: it may be a CA's own",
        _ => "it is not valid",
    }
}

/// An alert (RFC 8446 §6.2), as `handshake failure`.
pub(crate) fn of_alert(alert: AlertDescription) -> String {
    let Some(name) = alert.as_str() else {
        return format!("alert {}", u8::from(alert));
    };
    let mut words = String::new();
    let mut follows_lower_case = false;
    for letter in name.chars() {
        if follows_lower_case && letter.is_ascii_uppercase() {
            words.push(' ');
        }
        follows_lower_case = letter.is_ascii_lowercase();
        words.push(letter.to_ascii_lowercase());
    }
    words
}

#[cfg(test)]
mod tests {
    use rustls::{InvalidMessage, PeerIncompatible, PeerMisbehaved};

    use super::*;

    #[test]
    fn no_text_has_a_name_of_the_librarys_types() {
        let errors = [
            Error::AlertReceived(AlertDescription::HandshakeFailure),
            Error::AlertReceived(AlertDescription::Unknown(99)),
            Error::InvalidCertificate(CertificateError::UnhandledCriticalExtension),
            Error::PeerIncompatible(PeerIncompatible::NoCipherSuitesInCommon),
            Error::InvalidMessage(InvalidMessage::MissingData("ServerName")),
            Error::PeerMisbehaved(PeerMisbehaved::TooManyRenegotiationRequests),
            Error::BadMaxFragmentSize,
        ];
        for error in errors {
            let text = of_error(&error);
            let is_type_name = |word: &str| {
                let mut letters = word.chars().zip(word.chars().skip(1));
                letters.any(|(one, next)| one.is_lowercase() && next.is_uppercase())
            };
            assert!(!text.split(' ').any(is_type_name), "{text}");
        }
        assert_eq!(of_alert(AlertDescription::HandshakeFailure), "handshake failure");
        assert_eq!(of_alert(AlertDescription::UnknownCA), "unknown ca");
    }
}
