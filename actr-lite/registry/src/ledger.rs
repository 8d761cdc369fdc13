//! Who holds how much of what all peers share, as plain data.
//!
//! Whatever peers make a registry hold is taken from a ledger before it is held, and given back when it is let go. Each
//! address and each realm has a share, which is less than the whole: nobody alone can take what is everybody's.

use std::{collections::HashMap, fmt, hash::Hash};

use actr_lite_net::source::Source;
use actr_lite_quota::Modesty;
use thiserror::Error;

use crate::advice::advice;

/// One that is alone gets a fifth, and ten that take all they can get leave a tenth.
const MODEST: Modesty = Modesty { divisor: 4, floor: 0 };

/// Something that is limited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resource {
    /// Signaling connections.
    Connections,
    /// Registered nodes.
    Nodes,
    /// Bytes of memory for what registered nodes have stored.
    StoredBytes,
    /// Bytes of memory for requests, answers and messages that are under way.
    InFlightBytes,
}

/// How much of a resource there is, and the most of it for one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shares {
    /// For all.
    pub all: usize,
    /// For one address, or one IPv6 network of 64 bits.
    pub per_address: usize,
    /// For one realm.
    pub per_realm: usize,
    /// What each leaves to others, if it has to. Then there is something left for one that comes later, however many hold
    /// all that they can get.
    pub modesty: Option<Modesty>,
}

impl Shares {
    /// A whole without other limits.
    pub fn of_all(all: usize) -> Self {
        Self {
            all,
            per_address: all,
            per_realm: all,
            modesty: None,
        }
    }

    /// A whole of which each takes only a part of what the others have left.
    pub fn modest(all: usize) -> Self {
        Self {
            modesty: Some(MODEST),
            ..Self::of_all(all)
        }
    }
}

/// On whose account something is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Holder {
    /// Where it comes from.
    pub source: Source,
    /// For which realm, if that is known.
    pub realm_id: Option<u32>,
}

/// Whose share is used up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whose {
    /// Everybody's.
    All,
    /// That of an address or a network.
    Source(Source),
    /// That of a realm.
    Realm(u32),
}

/// A limit that would be passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub struct LimitReached {
    /// Of what.
    pub resource: Resource,
    /// Whose.
    pub whose: Whose,
    /// How much it allows.
    pub limit: usize,
}

impl fmt::Display for LimitReached {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { resource, whose, limit } = self;
        let whose_words = match whose {
            Whose::All => String::new(),
            Whose::Source(source) => format!(" from {source}"),
            Whose::Realm(realm_id) => format!(" of realm {realm_id}"),
        };
        let until = match resource {
            Resource::Connections => {
                write!(f, "the registry has {limit} connections{whose_words}, its limit")?;
                " when some have ended"
            }
            Resource::Nodes => {
                write!(f, "the registry holds {limit} nodes{whose_words}, its limit")?;
                " when some have left"
            }
            Resource::StoredBytes => {
                write!(
                    f,
                    "contracts, access lists and addresses of nodes{whose_words} would pass {limit} bytes of the \
                     registry's memory, its limit"
                )?;
                " when some nodes have left"
            }
            Resource::InFlightBytes => {
                write!(
                    f,
                    "requests and messages{whose_words} that are under way would pass {limit} bytes of the registry's \
                     memory, its limit"
                )?;
                ""
            }
        };
        let advice = advice(&self.option());
        write!(f, "; try again{until}, or raise {advice}")
    }
}

impl LimitReached {
    /// The name of the option that sets it.
    pub(crate) fn option(&self) -> String {
        self.resource.option(match self.whose {
            Whose::All => "",
            Whose::Source(_) => "_per_address",
            Whose::Realm(_) => "_per_realm",
        })
    }
}

impl Resource {
    fn option(self, suffix: &str) -> String {
        let limit = match self {
            Self::Connections => "max_connections",
            Self::Nodes => "max_nodes",
            Self::StoredBytes => "max_stored_bytes",
            Self::InFlightBytes => "max_in_flight_bytes",
        };
        format!("{limit}{suffix}")
    }
}

/// What is held of one resource, and by whom.
#[derive(Debug)]
pub(crate) struct Ledger {
    resource: Resource,
    shares: Shares,
    held: usize,
    by_source: Amounts<Source>,
    by_realm: Amounts<u32>,
    refusals: Refusals,
}

/// How often each limit of a resource was reached.
#[derive(Debug, Clone, Copy, Default)]
struct Refusals {
    all: u64,
    per_address: u64,
    per_realm: u64,
}

impl Ledger {
    pub(crate) fn new(resource: Resource, shares: Shares) -> Self {
        Self {
            resource,
            shares,
            held: 0,
            by_source: Amounts::default(),
            by_realm: Amounts::default(),
            refusals: Refusals::default(),
        }
    }

    /// Takes so much on this account.
    ///
    /// # Errors
    /// When a limit would be passed; then nothing is taken.
    pub(crate) fn take(&mut self, holder: Holder, amount: usize) -> Result<(), LimitReached> {
        self.has_room(holder, amount)?;
        self.take_anyway(holder, amount);
        Ok(())
    }

    /// Whether so much can be taken on this account.
    ///
    /// # Errors
    /// When a limit would be passed.
    pub(crate) fn has_room(&mut self, holder: Holder, amount: usize) -> Result<(), LimitReached> {
        self.check(holder, amount).inspect_err(|reached| {
            let count = match reached.whose {
                Whose::All => &mut self.refusals.all,
                Whose::Source(_) => &mut self.refusals.per_address,
                Whose::Realm(_) => &mut self.refusals.per_realm,
            };
            *count += 1;
        })
    }

    fn check(&self, holder: Holder, amount: usize) -> Result<(), LimitReached> {
        let Self { resource, shares, .. } = *self;
        let fits = |whose, held: usize, limit| match held.checked_add(amount) {
            Some(sum) if sum <= limit => Ok(()),
            _ => Err(LimitReached { resource, whose, limit }),
        };
        let source = holder.source;
        let of_source = self.by_source.of(source);
        let in_realm = holder.realm_id.map_or(0, |realm_id| self.by_realm.of(realm_id));
        fits(Whose::All, self.held, shares.all)?;
        fits(Whose::Source(source), of_source, shares.per_address)?;
        if let Some(realm_id) = holder.realm_id {
            fits(Whose::Realm(realm_id), in_realm, shares.per_realm)?;
        }
        let left = shares.all - self.held - amount;
        let held = of_source.max(in_realm) + amount;
        if shares.modesty.is_some_and(|modesty| held > modesty.most(left)) {
            let (whose, limit) = (Whose::All, shares.all);
            return Err(LimitReached { resource, whose, limit });
        }
        Ok(())
    }

    /// Takes so much whatever the limits say: for those who are about to give as much back.
    pub(crate) fn take_anyway(&mut self, holder: Holder, amount: usize) {
        self.held = self.held.saturating_add(amount);
        self.by_source.add(holder.source, amount);
        if let Some(realm_id) = holder.realm_id {
            self.by_realm.add(realm_id, amount);
        }
    }

    /// Gives back what was taken on this account.
    pub(crate) fn give_back(&mut self, holder: Holder, amount: usize) {
        self.held = self.held.saturating_sub(amount);
        self.by_source.remove(holder.source, amount);
        if let Some(realm_id) = holder.realm_id {
            self.by_realm.remove(realm_id, amount);
        }
    }

    /// How much is held altogether.
    pub(crate) fn held(&self) -> usize {
        self.held
    }

    /// How much is held for each realm.
    pub(crate) fn by_realm(&self) -> impl Iterator<Item = (u32, usize)> {
        self.by_realm.0.iter().map(|(realm_id, held)| (*realm_id, *held))
    }

    /// How often each limit was reached, by the name of its option.
    pub(crate) fn limits_reached(&self) -> [(String, u64); 3] {
        let Refusals {
            all,
            per_address,
            per_realm,
        } = self.refusals;
        let counts = [("", all), ("_per_address", per_address), ("_per_realm", per_realm)];
        counts.map(|(suffix, times)| (self.resource.option(suffix), times))
    }
}

/// How much there is of each; nothing takes no memory.
#[derive(Debug)]
pub(crate) struct Amounts<K>(HashMap<K, usize>);

impl<K> Default for Amounts<K> {
    fn default() -> Self {
        Self(HashMap::new())
    }
}

impl<K: Copy + Eq + Hash> Amounts<K> {
    pub(crate) fn of(&self, key: K) -> usize {
        self.0.get(&key).copied().unwrap_or_default()
    }

    pub(crate) fn add(&mut self, key: K, amount: usize) {
        let held = self.0.entry(key).or_default();
        *held = held.saturating_add(amount);
    }

    pub(crate) fn remove(&mut self, key: K, amount: usize) {
        if let Some(held) = self.0.get_mut(&key) {
            *held = held.saturating_sub(amount);
            if *held == 0 {
                self.0.remove(&key);
            }
        }
    }

    #[cfg(test)]
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use proptest::{collection::vec, prelude::*};

    use super::*;

    const SHARES: Shares = Shares {
        all: 10,
        per_address: 7,
        per_realm: 6,
        modesty: None,
    };

    fn holder(address: u32, realm_id: Option<u32>) -> Holder {
        Holder {
            source: Source::of(IpAddr::V4(Ipv4Addr::from_bits(address))),
            realm_id,
        }
    }

    #[test]
    fn a_refusal_names_whose_limit_it_is_and_the_option() {
        let mut ledger = Ledger::new(Resource::StoredBytes, SHARES);
        let mut refusal = |address, realm_id, amount| {
            let refused = ledger.take(holder(address, realm_id), amount);
            refused.map_or_else(|error| error.to_string(), |()| "taken".into())
        };
        for (address, realm_id, amount, words) in [
            (1, Some(1), 7, "of nodes of realm 1 would pass 6 bytes"),
            (1, None, 8, "from address 0.0.0.1 would pass 7 bytes"),
            (1, Some(1), 6, "taken"),
            (2, Some(2), 5, "--max-stored-bytes of"),
            (2, Some(1), 1, "--max-stored-bytes-per-realm of"),
            (1, Some(3), 2, "--max-stored-bytes-per-address of"),
        ] {
            let refusal = refusal(address, realm_id, amount);
            assert!(refusal.contains(words), "{refusal}");
        }
    }

    #[test]
    fn one_that_is_alone_gets_exactly_a_fifth() {
        let mut ledger = Ledger::new(Resource::InFlightBytes, Shares::modest(5));
        assert!(ledger.take(holder(1, None), 1).is_ok());
        assert!(ledger.take(holder(1, None), 1).is_err());
    }

    #[test]
    fn however_many_take_all_they_can_get_there_is_more() {
        let mut ledger = Ledger::new(Resource::InFlightBytes, Shares::modest(1 << 20));
        for address in 0..20 {
            let mut taken = 0;
            while ledger.take(holder(address, None), 1 << 10).is_ok() {
                taken += 1;
            }
            assert!(taken > 0, "address {address}");
            assert!(address > 0 || taken == 204, "one that is alone gets a fifth");
        }
    }

    proptest! {
        /// Against a list of everything that is held.
        #[test]
        fn no_share_is_passed_and_all_that_fits_is_granted(
            steps in vec((0..4u32, proptest::option::of(0..4u32), 0..9usize, any::<bool>()), 0..60),
        ) {
            let mut ledger = Ledger::new(Resource::Nodes, SHARES);
            let mut held: Vec<(Holder, usize)> = Vec::new();
            for (address, realm_id, amount, gives_back) in steps {
                if gives_back && !held.is_empty() {
                    let (holder, amount) = held.swap_remove(amount % held.len());
                    ledger.give_back(holder, amount);
                    continue;
                }
                let holder = holder(address, realm_id);
                let sum = |is_it: &dyn Fn(&Holder) -> bool| {
                    held.iter().filter(|(other, _)| is_it(other)).map(|(_, amount)| amount).sum::<usize>() + amount
                };
                let fits = sum(&|_| true) <= SHARES.all
                    && sum(&|other| other.source == holder.source) <= SHARES.per_address
                    && (realm_id.is_none() || sum(&|other| other.realm_id == realm_id) <= SHARES.per_realm);
                prop_assert_eq!(ledger.take(holder, amount).is_ok(), fits);
                if fits {
                    held.push((holder, amount));
                }
                prop_assert_eq!(ledger.held(), held.iter().map(|(_, amount)| amount).sum::<usize>());
            }
            for (holder, amount) in held {
                ledger.give_back(holder, amount);
            }
            prop_assert!(ledger.by_source.is_empty() && ledger.by_realm.is_empty());
        }
    }
}
