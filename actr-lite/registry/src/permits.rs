//! Which connections the registry has at a time: all its limits on them are here.
//!
//! A connection begins as an HTTP connection. If it becomes a signaling connection, which lasts, it takes a permit of
//! another kind. So those that last can fill their own room only: a node that is registered can always renew its
//! credential, and connect again.

use std::{
    collections::BTreeMap,
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use actr_lite_net::source::Source;
use tokio_util::sync::CancellationToken;

use crate::ledger::{Amounts, Holder, Ledger, LimitReached, Resource, Shares};

/// How many HTTP connections there may be beside all signaling connections. They last for one request, a few milliseconds,
/// so that this serves tens of thousands of renewals a second. While there are fewer signaling connections there may be
/// more of these.
pub(crate) const HTTP_RESERVE: usize = 96;

/// How many signaling connections there may be beyond the limit whose node connects again while its old connection is
/// still open: that one is closed then, which takes a second at most.
pub(crate) const RECONNECT_RESERVE: usize = 32;

/// The permits of one registry.
#[derive(Debug)]
pub(crate) struct Permits {
    /// The most signaling connections.
    limits: Shares,
    granted: Mutex<Granted>,
}

#[derive(Debug)]
struct Granted {
    /// The HTTP connections, the oldest first.
    http: BTreeMap<u64, (Source, CancellationToken)>,
    opened: u64,
    http_of: Amounts<Source>,
    signaling: Ledger,
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
    holder: Holder,
}

impl Permits {
    pub(crate) fn new(limits: Shares) -> Self {
        let granted = Granted {
            http: BTreeMap::new(),
            opened: 0,
            http_of: Amounts::default(),
            signaling: Ledger::new(Resource::Connections, limits),
        };
        Self {
            limits,
            granted: Mutex::new(granted),
        }
    }

    /// A permit for a new connection, which is never refused. Where there is no room, another HTTP connection has to
    /// [give way](HttpPermit::must_give_way): of the address that has most of them, the one that has been open the longest.
    /// Who sends its request at once is through with it by then.
    pub(crate) fn http(self: &Arc<Self>, address: IpAddr) -> HttpPermit {
        let source = Source::of(address);
        let give_way = CancellationToken::new();
        let mut granted = self.granted();
        let all = granted.http.len() + granted.signaling.held();
        let is_full = all >= self.limits.all.saturating_add(RECONNECT_RESERVE + HTTP_RESERVE);
        let displaced = if is_full { granted.displace() } else { None };
        granted.opened += 1;
        let number = granted.opened;
        granted.http.insert(number, (source, give_way.clone()));
        granted.http_of.add(source, 1);
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
        let holder = Holder {
            source: Source::of(address),
            realm_id: Some(realm_id),
        };
        let mut granted = self.granted();
        let is_spare = granted.signaling.held() < self.limits.all.saturating_add(RECONNECT_RESERVE);
        if replaces_own && is_spare {
            // Whoever replaces its own connection has no more of them than before.
            granted.signaling.take_anyway(holder, 1);
        } else {
            granted.signaling.take(holder, 1)?;
        }
        Ok(SignalingPermit {
            permits: self.clone(),
            holder,
        })
    }

    /// How many signaling connections there are.
    pub(crate) fn connections(&self) -> usize {
        self.granted().signaling.held()
    }

    /// How often each of its limits was reached.
    pub(crate) fn limits_reached(&self) -> [(String, u64); 3] {
        self.granted().signaling.limits_reached()
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
        self.http_of.remove(source, 1);
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
    /// On whose account the connection is here.
    pub(crate) fn holder(&self) -> Holder {
        self.holder
    }
}

impl Drop for SignalingPermit {
    fn drop(&mut self) {
        self.permits.granted().signaling.give_back(self.holder, 1);
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use proptest::{collection::vec, prelude::*};

    use super::*;
    use crate::ledger::Whose;

    const LIMITS: Shares = Shares {
        all: 6,
        per_address: 4,
        per_realm: 3,
        modesty: None,
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
        assert!(permits.granted().http_of.is_empty());
    }

    #[test]
    fn one_that_connects_again_needs_no_other_to_leave() {
        let permits = permits();
        let mut all: Vec<_> = (0..6)
            .map(|number| permits.signaling(address(number), number, false).unwrap())
            .collect();
        let refused = permits.signaling(address(0), 0, false).unwrap_err();
        assert_eq!((refused.whose, refused.limit), (Whose::All, 6));
        all.extend((0..RECONNECT_RESERVE).map(|_| permits.signaling(address(0), 0, true).unwrap()));
        assert!(permits.signaling(address(0), 0, true).is_err(), "that is bounded too");
    }

    proptest! {
        #[test]
        fn no_limit_is_passed_and_whatever_fits_is_granted(
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
                let fits = held.len() < LIMITS.all
                    && count(&|one| one.0 == from) < LIMITS.per_address
                    && count(&|one| one.1 == realm_id) < LIMITS.per_realm;
                let granted = permits.signaling(address(from), realm_id, false);
                prop_assert_eq!(granted.is_ok(), fits);
                held.extend(granted.ok().map(|permit| (from, realm_id, permit)));
            }
        }
    }
}
