use std::fmt;

use subtle::ConstantTimeEq as _;

/// How many bytes a renewal token has: as many as the key behind a credential, so that it is not the weaker of the two.
pub const RENEWAL_TOKEN_LEN: usize = 32;

/// A secret that lets its node renew its credential.
#[derive(Clone)]
pub struct RenewalToken {
    /// Random bytes.
    pub secret: [u8; RENEWAL_TOKEN_LEN],
    /// Unix time in seconds from which on it is worthless.
    pub expires_at: u64,
}

impl RenewalToken {
    /// Compares in constant time, so that its duration tells nothing about the secret.
    fn admits(&self, presented: &[u8], unix_now: u64) -> bool {
        bool::from(self.secret.as_slice().ct_eq(presented)) && unix_now < self.expires_at
    }
}

impl fmt::Debug for RenewalToken {
    /// Without the secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RenewalToken")
            .field("expires_at", &self.expires_at)
            .finish_non_exhaustive()
    }
}

/// A node's tokens: the last one given, and the one that it was given for, while the node may not have the last one
/// yet.
pub(super) struct RenewalTokens {
    latest: RenewalToken,
    previous: Option<RenewalToken>,
}

impl RenewalTokens {
    pub(super) fn new(first: RenewalToken) -> Self {
        Self {
            latest: first,
            previous: None,
        }
    }

    /// Replaces the latest token by `fresh` if `presented` is valid, and returns whether it was.
    pub(super) fn exchange(&mut self, presented: &[u8], fresh: RenewalToken, unix_now: u64) -> bool {
        if self.latest.admits(presented, unix_now) {
            self.previous = Some(std::mem::replace(&mut self.latest, fresh));
            return true;
        }
        let repeated = self
            .previous
            .as_ref()
            .is_some_and(|previous| previous.admits(presented, unix_now));
        if repeated {
            self.latest = fresh;
        }
        repeated
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_000;

    fn token(byte: u8) -> RenewalToken {
        RenewalToken {
            secret: [byte; RENEWAL_TOKEN_LEN],
            expires_at: NOW + 10,
        }
    }

    #[test]
    fn a_token_is_valid_until_its_successor_is_used() {
        let mut tokens = RenewalTokens::new(token(1));
        assert!(tokens.exchange(&token(1).secret, token(2), NOW));
        assert!(tokens.exchange(&token(1).secret, token(3), NOW), "2 never arrived");
        assert!(!tokens.exchange(&token(2).secret, token(4), NOW), "3 took its place");
        assert!(tokens.exchange(&token(3).secret, token(5), NOW));
        assert!(!tokens.exchange(&token(1).secret, token(6), NOW), "3 was used");
    }

    #[test]
    fn a_token_ends_and_no_other_bytes_will_do() {
        let mut tokens = RenewalTokens::new(token(1));
        assert!(!tokens.exchange(&token(1).secret, token(2), NOW + 10));
        assert!(!tokens.exchange(&[], token(2), NOW));
        assert!(!tokens.exchange(&[1; RENEWAL_TOKEN_LEN - 1], token(2), NOW));
        assert!(!tokens.exchange(&[1; RENEWAL_TOKEN_LEN + 1], token(2), NOW));
        assert!(tokens.exchange(&token(1).secret, token(2), NOW + 9));
    }

    #[test]
    fn a_secret_is_not_printed() {
        assert!(!format!("{:?}", token(77)).contains("77"));
    }
}
