//! How often somebody may be wrong, as plain data: time is an argument.

use std::{collections::HashMap, net::IpAddr, time::Duration};

use actr_lite_net::source::Source;

use crate::realms::SecretDigest;

/// How many failures in a row are answered: more than a person needs who mistypes a secret.
const MAX_FAILURES: u32 = 10;

/// How long until one more is: ten a minute, so that a secret of only six digits would take two months to guess.
const FAILURE_COST: Duration = Duration::from_secs(6);

/// How many sources are remembered: a few hundred kilobytes' worth.
const MAX_SOURCES: usize = 4096;

/// The failures of each source at each realm whose secret [can be guessed](crate::realms::Realms::can_be_guessed).
///
/// Whoever has failed too often is not heard for a while, right or wrong: otherwise the answer would tell. Others at the
/// same address share that, as they can't be told apart; those in other realms do not.
///
/// Who shows the same again guesses nothing: a node with an old secret that is started again and again does not keep others
/// at its address out.
#[derive(Debug, Default)]
pub(crate) struct FailureLimit {
    failures: HashMap<(Source, u32), Failures>,
}

#[derive(Debug)]
struct Failures {
    /// When there would be none any more.
    forgiven_at: Duration,
    /// What was shown last.
    latest: SecretDigest,
}

impl FailureLimit {
    /// Whether to listen to `address` about this realm; if not, how long not.
    pub(crate) fn check(&self, address: IpAddr, realm_id: u32, now: Duration) -> Result<(), Duration> {
        let failures = self.failures.get(&(Source::of(address), realm_id));
        let debt = failures.map_or(Duration::ZERO, |failures| failures.forgiven_at.saturating_sub(now));
        let most = FAILURE_COST * (MAX_FAILURES - 1);
        if debt <= most { Ok(()) } else { Err(debt - most) }
    }

    /// Counts a failure, unless it is the last one again.
    pub(crate) fn failed(&mut self, address: IpAddr, realm_id: u32, shown: SecretDigest, now: Duration) {
        let key = (Source::of(address), realm_id);
        if let Some(failures) = self.failures.get_mut(&key) {
            if failures.latest != shown {
                failures.latest = shown;
                failures.forgiven_at = failures.forgiven_at.max(now) + FAILURE_COST;
            }
            return;
        }
        if self.failures.len() >= MAX_SOURCES {
            self.failures.retain(|_, failures| failures.forgiven_at > now);
        }
        if self.failures.len() >= MAX_SOURCES {
            // A flood from everywhere: the one that is forgiven first has the least to gain.
            let first = self.failures.iter().min_by_key(|(_, failures)| failures.forgiven_at);
            if let Some(first) = first.map(|(key, _)| *key) {
                self.failures.remove(&first);
            }
        }
        let failures = Failures {
            forgiven_at: now + FAILURE_COST,
            latest: shown,
        };
        self.failures.insert(key, failures);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

    fn secret(number: u32) -> SecretDigest {
        SecretDigest::of(&number.to_be_bytes())
    }

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn ten_failures_are_answered_and_then_one_every_six_seconds() {
        let mut limit = FailureLimit::default();
        for guess in 0..MAX_FAILURES {
            assert_eq!(limit.check(HERE, 1, seconds(5)), Ok(()));
            limit.failed(HERE, 1, secret(guess), seconds(5));
            limit.failed(HERE, 1, secret(guess), seconds(5));
        }
        assert_eq!(limit.check(HERE, 1, seconds(5)), Err(seconds(6)));
        assert_eq!(limit.check(HERE, 1, seconds(10)), Err(seconds(1)));
        assert_eq!(limit.check(HERE, 1, seconds(11)), Ok(()));
        limit.failed(HERE, 1, secret(99), seconds(11));
        assert_eq!(limit.check(HERE, 1, seconds(11)), Err(seconds(6)));
        assert_eq!(limit.check(HERE, 1, seconds(1000)), Ok(()));
    }

    #[test]
    fn others_are_heard_meanwhile() {
        let mut limit = FailureLimit::default();
        let address = |text: &str| text.parse::<IpAddr>().unwrap();
        for guess in 0..100 {
            limit.failed(address("2001:db8::1"), 1, secret(guess), seconds(0));
        }
        assert!(
            limit.check(address("2001:db8::ffff"), 1, seconds(0)).is_err(),
            "the same network"
        );
        assert!(limit.check(address("2001:db8:0:1::1"), 1, seconds(0)).is_ok());
        assert!(
            limit.check(address("2001:db8::1"), 2, seconds(0)).is_ok(),
            "another realm"
        );
        for guess in 0..100 {
            limit.failed(HERE, 1, secret(guess), seconds(0));
        }
        assert!(limit.check(address("::ffff:127.0.0.1"), 1, seconds(0)).is_err());
    }

    #[test]
    fn a_flood_takes_bounded_memory_and_frees_no_frequent_failer() {
        let mut limit = FailureLimit::default();
        for guess in 0..100 {
            limit.failed(HERE, 1, secret(guess), seconds(0));
        }
        for number in 0..3 * MAX_SOURCES as u32 {
            limit.failed(IpAddr::V4((0x0a00_0000 + number).into()), 1, secret(1), seconds(0));
        }
        assert!(limit.failures.len() <= MAX_SOURCES);
        assert!(limit.check(HERE, 1, seconds(0)).is_err());
    }
}
