//! What proves that a node belongs to a realm when it registers (actr 0.4.21).

use std::fmt;

use thiserror::Error;

/// The header in which a registration shows a [`RealmSecret`].
pub const REALM_SECRET_HEADER: &str = "x-actrix-realm-secret";

/// The secret of a realm, which a header can carry. Its `Debug` does not show it.
#[derive(Clone, PartialEq, Eq)]
pub struct RealmSecret(Box<str>);

impl RealmSecret {
    /// A secret.
    ///
    /// # Errors
    /// When it is empty, or has characters that a header can't carry.
    pub fn new(secret: &str) -> Result<Self, RealmSecretError> {
        let is_printable = secret.bytes().all(|byte| matches!(byte, b' '..=b'~'));
        // Spaces at an end are not part of a header's value (RFC 9110 §5.5).
        if secret.is_empty() || secret != secret.trim() || !is_printable {
            return Err(RealmSecretError);
        }
        Ok(Self(secret.into()))
    }

    /// The secret itself, for whoever sends it, or checks those of others.
    pub fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl fmt::Debug for RealmSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RealmSecret(..)")
    }
}

/// A realm's secret that can't be sent.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("this is no secret that an HTTP header can carry: use printable ASCII in one line, without spaces at its ends")]
pub struct RealmSecretError;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_not_printed() {
        let secret = RealmSecret::new("hunter2").unwrap();
        assert!(!format!("{secret:?}").contains("hunter2"));
        for text in ["a\nb", "", " a", "a ", "\u{fc}", "a\tb"] {
            assert!(RealmSecret::new(text).is_err(), "{text:?}");
        }
    }
}
