//! Which connections the registry has at a time: all its limits on them are here.
//!
//! A connection begins as an HTTP connection. If it becomes a signaling connection, which lasts, it takes a permit of
//! another kind. So those that last can fill their own room only: a node that is registered can always renew its
//! credential, and connect again.

use std::{
    collections::{BTreeMap, HashMap},
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use thiserror::Error;
use tokio_util::sync::CancellationToken;

use crate::{
    options::{Options, advice, most_of},
    source::Source,
};

/// How many HTTP connections there may be beside all signaling connections. They last for one request, a few milliseconds,
/// so that this serves tens of thousands of renewals a second. While there are fewer signaling connections there may be
/// more of these.
pub(crate) const HTTP_RESERVE: usize = 96;

/// How many signaling connections there may be beyond the limit whose node connects again while its old connection is
/// still open: that one is closed then, which takes a second at most.
pub(crate) const RECONNECT_RESERVE: usize = 32;

/// The most signaling connections.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SignalingLimits {
    pub(crate) all: usize,
    pub(crate) per_source: usize,
    pub(crate) per_realm: usize,
}

impl From<&Options> for SignalingLimits {
    fn from(options: &Options) -> Self {
        let all = options.max_connections;
        Self {
            all,
            per_source: options.max_connections_per_address.unwrap_or(most_of(all)),
            per_realm: options.max_connections_per_realm.unwrap_or(most_of(all)),
        }
    }
}

/// A limit that would be passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub(crate) enum LimitReached {
    #[error(
        "the registry has {limit} connections, its limit; try again when some have ended, or raise {}",
        advice("max_connections")
    )]
    All { limit: usize },
    #[error(
        "the registry has {limit} connections from {from}, its limit; try again when some have ended, or raise {}",
        advice("max_connections_per_address")
    )]
    Source { from: Source, limit: usize },
    #[error(
        "the registry has {limit} connections of realm {realm_id}, its limit; try again when some have ended, or raise {}",
        advice("max_connections_per_realm")
    )]
    Realm { realm_id: u32, limit: usize },
}

/// The permits of one registry.
#[derive(Debug)]
pub(crate) struct Permits {
    limits: SignalingLimits,
    granted: Mutex<Granted>,
}

#[derive(Debug, Default)]
struct Granted {
    /// The HTTP connections, the oldest first.
    http: BTreeMap<u64, (Source, CancellationToken)>,
    opened: u64,
    http_of: Counts<Source>,
    signaling: usize,
    signaling_of: Counts<Source>,
    signaling_in: Counts<u32>,
}

/// A permit for an HTTP connection. Dropping it gives it back.
#[derive(Debug)]
pub(crate) struct HttpPermit {
    permits: Arc<Permits>,
    number: u64,
    give_way: CancellationToken,
}

/// A permit for a signaling connection. Dropping it gives it back.
#[derive(Debug)]
pub(crate) struct SignalingPermit {
    permits: Arc<Permits>,
    source: Source,
    realm_id: u32,
}

impl Permits {
    pub(crate) fn new(limits: SignalingLimits) -> Self {
        Self {
            limits,
            granted: Mutex::default(),
        }
    }

    /// A permit for a new connection, which is never refused. Where there is no room, another HTTP connection has to
    /// [give way](HttpPermit::must_give_way): of the address that has most of them, the one that has been open the longest.
    /// Who sends its request at once is through with it by then.
    pub(crate) fn http(self: &Arc<Self>, address: IpAddr) -> HttpPermit {
        let source = Source::of(address);
        let give_way = CancellationToken::new();
        let mut granted = self.granted();
        let all = granted.http.len() + granted.signaling;
        let is_full = all >= self.limits.all.saturating_add(RECONNECT_RESERVE + HTTP_RESERVE);
        let displaced = if is_full { granted.displace() } else { None };
        granted.opened += 1;
        let number = granted.opened;
        granted.http.insert(number, (source, give_way.clone()));
        granted.http_of.add(source);
        drop(granted);
        if let Some(displaced) = displaced {
            displaced.cancel();
        }
        HttpPermit {
            permits: self.clone(),
            number,
            give_way,
        }
    }

    /// A permit for a signaling connection; `replaces_own` if its node has one that will be closed for it.
    ///
    /// # Errors
    /// When a limit would be passed.
    pub(crate) fn signaling(
        self: &Arc<Self>,
        address: IpAddr,
        realm_id: u32,
        replaces_own: bool,
    ) -> Result<SignalingPermit, LimitReached> {
        let (limits, source) = (self.limits, Source::of(address));
        let mut granted = self.granted();
        let reserve = if replaces_own { RECONNECT_RESERVE } else { 0 };
        if granted.signaling >= limits.all.saturating_add(reserve) {
            return Err(LimitReached::All { limit: limits.all });
        }
        // Whoever replaces its own connection has no more of them than before.
        if !replaces_own && granted.signaling_of.of(source) >= limits.per_source {
            return Err(LimitReached::Source {
                from: source,
                limit: limits.per_source,
            });
        }
        if !replaces_own && granted.signaling_in.of(realm_id) >= limits.per_realm {
            return Err(LimitReached::Realm {
                realm_id,
                limit: limits.per_realm,
            });
        }
        granted.signaling += 1;
        granted.signaling_of.add(source);
        granted.signaling_in.add(realm_id);
        Ok(SignalingPermit {
            permits: self.clone(),
            source,
            realm_id,
        })
    }

    fn granted(&self) -> MutexGuard<'_, Granted> {
        // No code panics while it holds the lock.
        self.granted.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Granted {
    /// Takes an HTTP connection's permit back, and returns how to tell it.
    fn displace(&mut self) -> Option<CancellationToken> {
        let (mut most, mut displaced) = (0, None);
        for (number, (source, _)) in &self.http {
            let count = self.http_of.of(*source);
            if count > most {
                (most, displaced) = (count, Some(*number));
            }
        }
        self.end_http(displaced?)
    }

    fn end_http(&mut self, number: u64) -> Option<CancellationToken> {
        let (source, give_way) = self.http.remove(&number)?;
        self.http_of.remove(source);
        Some(give_way)
    }
}

impl HttpPermit {
    /// Completes when another connection has got the room of this one.
    pub(crate) async fn must_give_way(&self) {
        self.give_way.cancelled().await;
    }
}

impl Drop for HttpPermit {
    fn drop(&mut self) {
        self.permits.granted().end_http(self.number);
    }
}

impl SignalingPermit {
    /// Where the connection comes from.
    pub(crate) fn source(&self) -> Source {
        self.source
    }
}

impl Drop for SignalingPermit {
    fn drop(&mut self) {
        let mut granted = self.permits.granted();
        granted.signaling -= 1;
        granted.signaling_of.remove(self.source);
        granted.signaling_in.remove(self.realm_id);
    }
}

/// How many there are of each; none takes no memory.
#[derive(Debug)]
struct Counts<K>(HashMap<K, usize>);

impl<K> Default for Counts<K> {
    fn default() -> Self {
        Self(HashMap::new())
    }
}

impl<K: Copy + Eq + std::hash::Hash> Counts<K> {
    fn of(&self, key: K) -> usize {
        self.0.get(&key).copied().unwrap_or_default()
    }

    fn add(&mut self, key: K) {
        *self.0.entry(key).or_default() += 1;
    }

    fn remove(&mut self, key: K) {
        if let Some(count) = self.0.get_mut(&key) {
            *count -= 1;
            if *count == 0 {
                self.0.remove(&key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use proptest::{collection::vec, prelude::*};

    use super::*;

    const LIMITS: SignalingLimits = SignalingLimits {
        all: 6,
        per_source: 4,
        per_realm: 3,
    };

    /// The most connections of all kinds.
    const MOST: usize = 6 + RECONNECT_RESERVE + HTTP_RESERVE;

    fn address(number: u32) -> IpAddr {
        IpAddr::V4(Ipv4Addr::from_bits(number))
    }

    fn permits() -> Arc<Permits> {
        Arc::new(Permits::new(LIMITS))
    }

    #[test]
    fn http_has_room_whatever_signaling_takes() {
        let permits = permits();
        let _signaling: Vec<_> = (0..6 + RECONNECT_RESERVE as u32)
            .map(|number| permits.signaling(address(number), number, number >= 6).unwrap())
            .collect();
        let http: Vec<_> = (0..HTTP_RESERVE).map(|_| permits.http(address(1))).collect();
        assert!(http.iter().all(|permit| !permit.give_way.is_cancelled()));
    }

    #[test]
    fn the_oldest_of_the_address_with_most_gives_way() {
        let permits = permits();
        let quiet = permits.http(address(1));
        let flood: Vec<_> = (0..3 * MOST).map(|_| permits.http(address(2))).collect();
        assert!(!quiet.give_way.is_cancelled(), "one that is alone at its address");
        let kept = flood.iter().filter(|permit| !permit.give_way.is_cancelled());
        assert_eq!(kept.count(), MOST - 1);
        assert!(flood[0].give_way.is_cancelled());
        assert!(flood.iter().rev().take(6).all(|permit| !permit.give_way.is_cancelled()));
        drop(flood);
        drop(quiet);
        assert_eq!(permits.granted().http.len(), 0);
        assert!(permits.granted().http_of.0.is_empty());
    }

    #[test]
    fn one_that_connects_again_needs_no_other_to_leave() {
        let permits = permits();
        let mut all: Vec<_> = (0..6)
            .map(|number| permits.signaling(address(number), number, false).unwrap())
            .collect();
        let refused = permits.signaling(address(0), 0, false).unwrap_err();
        assert_eq!(refused, LimitReached::All { limit: 6 });
        all.extend((0..RECONNECT_RESERVE).map(|_| permits.signaling(address(0), 0, true).unwrap()));
        assert!(permits.signaling(address(0), 0, true).is_err(), "that is bounded too");
    }

    proptest! {
        #[test]
        fn no_limit_is_passed_and_none_is_named_that_is_not_reached(
            steps in vec((0..4u32, 0..4u32, any::<bool>(), 0..20usize), 0..100),
        ) {
            let permits = permits();
            let mut held: Vec<(u32, u32, SignalingPermit)> = Vec::new();
            for (from, realm_id, ends, which) in steps {
                if ends && !held.is_empty() {
                    held.swap_remove(which % held.len());
                    continue;
                }
                let count = |is_it: &dyn Fn(&(u32, u32, SignalingPermit)) -> bool| held.iter().filter(|one| is_it(one)).count();
                let expected = if held.len() >= LIMITS.all {
                    Err(LimitReached::All { limit: LIMITS.all })
                } else if count(&|one| one.0 == from) >= LIMITS.per_source {
                    Err(LimitReached::Source { from: Source::of(address(from)), limit: LIMITS.per_source })
                } else if count(&|one| one.1 == realm_id) >= LIMITS.per_realm {
                    Err(LimitReached::Realm { realm_id, limit: LIMITS.per_realm })
                } else {
                    Ok(())
                };
                let granted = permits.signaling(address(from), realm_id, false);
                prop_assert_eq!(granted.as_ref().map(|_| ()).map_err(|error| *error), expected);
                held.extend(granted.ok().map(|permit| (from, realm_id, permit)));
            }
        }
    }
}
