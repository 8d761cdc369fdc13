//! How often somebody may be wrong, as plain data: time is an argument.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv6Addr},
    time::Duration,
};

/// How many failures in a row are answered: more than a person needs who mistypes a secret.
const MAX_FAILURES: u32 = 10;

/// How long until one more is: ten a minute, so that a secret of only six digits would take two months to guess.
const FAILURE_COST: Duration = Duration::from_secs(6);

/// How many sources are remembered: a few hundred kilobytes' worth.
const MAX_SOURCES: usize = 4096;

/// The failures of each source at each realm.
///
/// Whoever has failed too often is not heard for a while, right or wrong: otherwise the answer would tell. Others at the
/// same address share that, as they can't be told apart; those in other realms do not.
#[derive(Debug, Default)]
pub(crate) struct FailureLimit {
    /// When each would have no failures any more.
    forgiven_at: HashMap<(Source, u32), Duration>,
}

/// An address, as far as its owner does not choose it: of IPv6 the first half.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Source(IpAddr);

impl Source {
    fn of(address: IpAddr) -> Self {
        Self(match address.to_canonical() {
            IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() >> 64 << 64)),
            address @ IpAddr::V4(_) => address,
        })
    }
}

impl FailureLimit {
    /// Whether to listen to `address` about this realm; if not, how long not.
    pub(crate) fn check(&self, address: IpAddr, realm_id: u32, now: Duration) -> Result<(), Duration> {
        let forgiven_at = self.forgiven_at.get(&(Source::of(address), realm_id));
        let debt = forgiven_at.map_or(Duration::ZERO, |at| at.saturating_sub(now));
        let most = FAILURE_COST * (MAX_FAILURES - 1);
        if debt <= most { Ok(()) } else { Err(debt - most) }
    }

    /// Counts a failure.
    pub(crate) fn failed(&mut self, address: IpAddr, realm_id: u32, now: Duration) {
        let key = (Source::of(address), realm_id);
        if self.forgiven_at.len() >= MAX_SOURCES && !self.forgiven_at.contains_key(&key) {
            self.forgiven_at.retain(|_, at| *at > now);
            // A flood from everywhere: the one that is forgiven first has the least to gain.
            if self.forgiven_at.len() >= MAX_SOURCES
                && let Some(first) = self.forgiven_at.iter().min_by_key(|(_, at)| **at).map(|(key, _)| *key)
            {
                self.forgiven_at.remove(&first);
            }
        }
        let forgiven_at = self.forgiven_at.entry(key).or_insert(now);
        *forgiven_at = (*forgiven_at).max(now) + FAILURE_COST;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn ten_failures_are_answered_and_then_one_every_six_seconds() {
        let mut limit = FailureLimit::default();
        for _ in 0..MAX_FAILURES {
            assert_eq!(limit.check(HERE, 1, seconds(5)), Ok(()));
            limit.failed(HERE, 1, seconds(5));
        }
        assert_eq!(limit.check(HERE, 1, seconds(5)), Err(seconds(6)));
        assert_eq!(limit.check(HERE, 1, seconds(10)), Err(seconds(1)));
        assert_eq!(limit.check(HERE, 1, seconds(11)), Ok(()));
        limit.failed(HERE, 1, seconds(11));
        assert_eq!(limit.check(HERE, 1, seconds(11)), Err(seconds(6)));
        assert_eq!(limit.check(HERE, 1, seconds(1000)), Ok(()));
    }

    #[test]
    fn others_are_heard_meanwhile() {
        let mut limit = FailureLimit::default();
        let address = |text: &str| text.parse::<IpAddr>().unwrap();
        for _ in 0..100 {
            limit.failed(address("2001:db8::1"), 1, seconds(0));
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
        for _ in 0..100 {
            limit.failed(HERE, 1, seconds(0));
        }
        assert!(limit.check(address("::ffff:127.0.0.1"), 1, seconds(0)).is_err());
    }

    #[test]
    fn a_flood_from_everywhere_takes_bounded_memory_and_frees_nobody_who_failed_more() {
        let mut limit = FailureLimit::default();
        for _ in 0..100 {
            limit.failed(HERE, 1, seconds(0));
        }
        for number in 0..3 * MAX_SOURCES as u32 {
            limit.failed(IpAddr::V4((0x0a00_0000 + number).into()), 1, seconds(0));
        }
        assert!(limit.forgiven_at.len() <= MAX_SOURCES);
        assert!(limit.check(HERE, 1, seconds(0)).is_err());
    }
}
