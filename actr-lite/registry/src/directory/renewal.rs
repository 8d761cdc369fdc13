use std::{fmt, time::Duration};

use actr_lite_net::source::Source;
use ring::hmac;
use subtle::ConstantTimeEq as _;

/// How many bytes a renewal token has.
pub const RENEWAL_TOKEN_LEN: usize = GENERATION_LEN + PROOF_LEN;

/// How long a token is valid, in seconds: a day lets a node come back from a long sleep under its own id, and is the
/// longest that a stolen token helps.
const LIFETIME: u64 = 24 * 60 * 60;

/// How long a token that was used may be used again, once, because the answer may have got lost: a node waits 4 s for
/// an answer and a second before its next try, and one that is away for longer than a lease registers anew anyhow.
const RETRY_WINDOW: Duration = Duration::from_secs(30);

const GENERATION_LEN: usize = 8;

/// As many bits as a forger would have to guess to forge a credential, and more.
const PROOF_LEN: usize = 24;

/// A secret that lets its node renew its credential once.
#[derive(Clone, PartialEq, Eq)]
pub struct RenewalToken {
    /// What the node has to show.
    pub secret: [u8; RENEWAL_TOKEN_LEN],
    /// Unix time in seconds from which on it is worthless.
    pub expires_at: u64,
}

impl fmt::Debug for RenewalToken {
    /// Without the secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RenewalToken")
            .field("expires_at", &self.expires_at)
            .finish_non_exhaustive()
    }
}

/// What a registration or a renewal gives a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// For its next renewal.
    pub token: RenewalToken,
    /// When it was given, in Unix seconds. The same grant may be told twice, the second time a bit later.
    pub granted_at: u64,
}

/// What a renewal token is shown for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Nothing but the token is shown. It has to be the last one, and not to have expired.
    Renewal,
    /// The renewal was refused, and what a registration needs is shown, too. The token proves who the node is, though it may
    /// have expired. It is the last one; or the one before, if the node's own key proves that only an answer was lost.
    Reissue,
}

/// A renewal token as somebody shows it.
#[derive(Clone, Copy)]
pub struct ShownToken<'a> {
    /// What was shown.
    pub secret: &'a [u8],
    /// What for.
    pub purpose: Purpose,
    /// From where.
    pub from: Source,
    /// Whether it was proven that the node's own key was at hand, so that no thief shows it.
    pub by_holder: bool,
}

/// The tokens of one node: each is numbered, and proven by a key that only the directory has. So it knows every token that
/// it ever gave, without keeping any.
pub(super) struct Renewals {
    key: [u8; 32],
    /// The number of the token that is valid.
    generation: u64,
    granted_at: u64,
    retry: Option<Retry>,
}

impl fmt::Debug for Renewals {
    /// Without the key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Renewals")
            .field("generation", &self.generation)
            .finish_non_exhaustive()
    }
}

/// Who may use the token that was used last once more, and until when.
#[derive(Debug, Clone, Copy)]
struct Retry {
    generation: u64,
    from: Source,
    until: Duration,
}

/// Why a token renews nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TokenError {
    /// It never was one of this node, its time is over, or the node itself has used it before.
    Invalid,
    /// It was used before: two have it, and one of them is a thief.
    Reused,
}

impl Renewals {
    /// The first token is valid from now on; `key` is random.
    pub(super) fn new(key: [u8; 32], unix_now: u64) -> Self {
        Self {
            key,
            generation: 0,
            granted_at: unix_now,
            retry: None,
        }
    }

    /// The grant that is valid.
    pub(super) fn grant(&self) -> Grant {
        Grant {
            token: RenewalToken {
                secret: self.secret(self.generation),
                expires_at: self.granted_at.saturating_add(LIFETIME),
            },
            granted_at: self.granted_at,
        }
    }

    /// Uses a token. What comes of it is in [`Self::grant`].
    pub(super) fn exchange(&mut self, shown: ShownToken<'_>, now: Duration, unix_now: u64) -> Result<(), TokenError> {
        let generation = self.generation_of(shown.secret).ok_or(TokenError::Invalid)?;
        let (is_last, is_reissue) = (generation == self.generation, shown.purpose == Purpose::Reissue);
        let is_last_but_one = generation.checked_add(1) == Some(self.generation);
        if !(is_last || is_last_but_one && is_reissue && shown.by_holder) {
            return self.repeat(generation, shown, now);
        }
        if !is_reissue && unix_now >= self.granted_at.saturating_add(LIFETIME) {
            return Err(TokenError::Invalid);
        }
        self.generation += 1;
        self.granted_at = unix_now;
        self.retry = Some(Retry {
            generation,
            from: shown.from,
            until: now.saturating_add(RETRY_WINDOW),
        });
        Ok(())
    }

    /// Takes a token that was used before, if the answer to that may have got lost.
    fn repeat(&mut self, generation: u64, shown: ShownToken<'_>, now: Duration) -> Result<(), TokenError> {
        match self.retry.take() {
            Some(retry) if retry.generation == generation && retry.from == shown.from && now < retry.until => Ok(()),
            _ if shown.by_holder => Err(TokenError::Invalid),
            _ => Err(TokenError::Reused),
        }
    }

    /// Which token this is, if it is one.
    fn generation_of(&self, presented: &[u8]) -> Option<u64> {
        let generation = u64::from_be_bytes(*presented.first_chunk()?);
        let is_proven = self.secret(generation).as_slice().ct_eq(presented);
        (bool::from(is_proven) && generation <= self.generation).then_some(generation)
    }

    fn secret(&self, generation: u64) -> [u8; RENEWAL_TOKEN_LEN] {
        let number = generation.to_be_bytes();
        let key = hmac::Key::new(hmac::HMAC_SHA256, &self.key);
        let proof = hmac::sign(&key, &number);
        let mut secret = [0; RENEWAL_TOKEN_LEN];
        for (to, from) in secret.iter_mut().zip(number.iter().chain(proof.as_ref())) {
            *to = *from;
        }
        secret
    }
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use super::*;

    const UNIX_NOW: u64 = 1_000;
    const START: Duration = Duration::from_secs(7);

    fn address(last: u8) -> Source {
        Source::of(IpAddr::V4(Ipv4Addr::new(192, 0, 2, last)))
    }

    fn renewals() -> Renewals {
        Renewals::new([7; 32], UNIX_NOW)
    }

    /// Without a key.
    fn shown(secret: &[u8], from: Source) -> ShownToken<'_> {
        ShownToken {
            secret,
            purpose: Purpose::Renewal,
            from,
            by_holder: false,
        }
    }

    fn for_reissue(token: ShownToken<'_>) -> ShownToken<'_> {
        ShownToken {
            purpose: Purpose::Reissue,
            ..token
        }
    }

    fn by_holder(secret: &[u8], from: Source) -> ShownToken<'_> {
        ShownToken {
            by_holder: true,
            ..shown(secret, from)
        }
    }

    #[test]
    fn a_used_token_gets_the_same_answer_once_more() {
        let mut renewals = renewals();
        let first = renewals.grant().token.secret;
        assert_eq!(
            renewals.exchange(shown(&first, address(1)), START, UNIX_NOW + 5),
            Ok(())
        );
        let second = renewals.grant();
        assert_ne!(second.token.secret, first);
        let retried = renewals.exchange(shown(&first, address(1)), START + Duration::from_secs(6), UNIX_NOW + 11);
        assert_eq!((retried, renewals.grant()), (Ok(()), second.clone()));
        let again = renewals.exchange(shown(&first, address(1)), START + Duration::from_secs(7), UNIX_NOW + 12);
        assert_eq!(again, Err(TokenError::Reused));
    }

    #[test]
    fn a_used_token_is_reuse_but_for_one_repeat_from_there() {
        let used = |from, later, successor_is_used| {
            let mut renewals = renewals();
            let first = renewals.grant().token.secret;
            renewals.exchange(shown(&first, address(1)), START, UNIX_NOW).unwrap();
            if successor_is_used {
                let second = renewals.grant().token.secret;
                renewals.exchange(shown(&second, address(1)), START, UNIX_NOW).unwrap();
            }
            renewals.exchange(shown(&first, address(from)), START + later, UNIX_NOW)
        };
        let soon = RETRY_WINDOW - Duration::from_millis(1);
        assert_eq!(used(1, soon, false), Ok(()));
        assert_eq!(used(1, RETRY_WINDOW, false), Err(TokenError::Reused));
        assert_eq!(used(2, soon, false), Err(TokenError::Reused));
        assert_eq!(used(1, soon, true), Err(TokenError::Reused));
    }

    #[test]
    fn a_token_ends_and_no_other_bytes_will_do() {
        let mut renewals = renewals();
        let token = renewals.grant().token;
        let mut exchange =
            |presented: &[u8], unix_now| renewals.exchange(shown(presented, address(1)), Duration::ZERO, unix_now);
        assert_eq!(exchange(&token.secret, token.expires_at), Err(TokenError::Invalid));
        let longer = [&token.secret[..], &[0]].concat();
        let mut forged = token.secret;
        forged[RENEWAL_TOKEN_LEN - 1] ^= 1;
        for wrong in [&[], &token.secret[1..], &longer, &[0; RENEWAL_TOKEN_LEN], &forged] {
            assert_eq!(exchange(wrong, UNIX_NOW), Err(TokenError::Invalid));
        }
        assert_eq!(exchange(&token.secret, token.expires_at - 1), Ok(()));
    }

    #[test]
    fn a_token_of_another_key_is_none() {
        let other = Renewals::new([8; 32], UNIX_NOW).grant().token.secret;
        let refused = renewals().exchange(shown(&other, address(1)), Duration::ZERO, UNIX_NOW);
        assert_eq!(refused, Err(TokenError::Invalid));
    }

    #[test]
    fn a_token_that_has_ended_still_proves_who_the_node_is() {
        let mut renewals = renewals();
        let token = renewals.grant().token;
        let ended = token.expires_at + 1;
        let presented = shown(&token.secret, address(1));
        assert_eq!(renewals.exchange(presented, START, ended), Err(TokenError::Invalid));
        assert_eq!(renewals.exchange(for_reissue(presented), START, ended), Ok(()));
        let next = renewals.grant();
        assert_eq!(next.granted_at, ended);
        assert_eq!(
            renewals.exchange(for_reissue(presented), START, ended),
            Ok(()),
            "its answer got lost"
        );
        assert_eq!(renewals.grant(), next);
        assert_eq!(
            renewals.exchange(for_reissue(presented), START, ended),
            Err(TokenError::Reused)
        );
    }

    #[test]
    fn the_holder_of_the_key_may_have_lost_the_last_answer() {
        let mut renewals = renewals();
        let first = renewals.grant().token.secret;
        renewals.exchange(shown(&first, address(1)), START, UNIX_NOW).unwrap();
        let late = START + RETRY_WINDOW;
        let own = by_holder(&first, address(1));
        assert_eq!(
            renewals.exchange(own, late, UNIX_NOW),
            Err(TokenError::Invalid),
            "no theft"
        );
        assert_eq!(renewals.exchange(for_reissue(own), late, UNIX_NOW), Ok(()));
        let third = renewals.grant().token.secret;
        renewals.exchange(shown(&third, address(1)), late, UNIX_NOW).unwrap();
        assert_eq!(
            renewals.exchange(for_reissue(own), late, UNIX_NOW),
            Err(TokenError::Invalid),
            "older"
        );
    }

    #[test]
    fn who_lacks_the_key_reissues_nothing_by_a_used_token() {
        let mut renewals = renewals();
        let first = renewals.grant().token.secret;
        renewals.exchange(shown(&first, address(1)), START, UNIX_NOW).unwrap();
        let stolen = shown(&first, address(2));
        assert_eq!(
            renewals.exchange(for_reissue(stolen), START, UNIX_NOW),
            Err(TokenError::Reused)
        );
    }

    #[test]
    fn no_secret_is_printed() {
        let renewals = renewals();
        let printed = format!("{renewals:?} {:?}", renewals.grant());
        assert!(!printed.contains("[7") && !printed.contains("secret"), "{printed}");
    }
}
