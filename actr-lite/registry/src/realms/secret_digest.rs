use std::fmt;

use ring::digest::{SHA256, SHA256_OUTPUT_LEN, digest};
use subtle::ConstantTimeEq as _;

/// From how many characters on nobody guesses a secret, however often it is tried: 16 hexadecimal digits are 64 bits, and
/// ten thousand guesses a second take millions of years.
pub const UNGUESSABLE_LEN: usize = 16;

/// What is kept of a realm's secret: enough to know it when it is shown, and not enough to tell it.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretDigest {
    digest: [u8; SHA256_OUTPUT_LEN],
    is_short: bool,
}

impl SecretDigest {
    /// Of this secret.
    pub fn of(secret: &[u8]) -> Self {
        let mut bytes = [0; SHA256_OUTPUT_LEN];
        bytes.copy_from_slice(digest(&SHA256, secret).as_ref());
        Self {
            digest: bytes,
            is_short: secret.len() < UNGUESSABLE_LEN,
        }
    }

    /// In constant time: it tells neither where two secrets differ nor how long this one is.
    pub(super) fn admits(&self, presented: &Self) -> bool {
        self.digest.ct_eq(&presented.digest).into()
    }

    /// Whether it might be guessed.
    pub(super) fn is_short(&self) -> bool {
        self.is_short
    }
}

impl fmt::Debug for SecretDigest {
    /// Without the digest: a short secret could be found from it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretDigest")
    }
}
