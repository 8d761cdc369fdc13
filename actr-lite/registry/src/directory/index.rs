use std::{
    collections::{BTreeSet, hash_map::RandomState},
    hash::{BuildHasher as _, Hash},
    iter::{Peekable, from_fn},
    ops::Bound,
};

use actr_lite_wire::identity::ActrType;

use super::{node::Node, rank::Rank};

/// Which nodes may be named in an answer, in the order in which they are: whoever looks for some begins at the best, and
/// stops when it has enough. Hidden nodes are not here.
///
/// A [`Group`] is a number here, its hash under a random key, so that one ordered set holds them all in little memory. Two
/// groups with the same number are not to be expected.
#[derive(Debug, Default)]
pub(super) struct Index {
    hasher: RandomState,
    ranks: BTreeSet<(u64, Rank)>,
    /// In which realms the nodes of a type are.
    realms: BTreeSet<(u64, u32, u64)>,
}

/// Nodes among which somebody looks for one; with a fingerprint only those that publish that contract.
#[derive(Debug, Clone, Copy, Hash)]
pub(super) enum Group<'a> {
    /// The candidates of a type, by rank.
    Candidates(&'a ActrType, Domain, Option<&'a str>),
    /// Those that publish a contract, by age.
    Publishers(&'a ActrType, Domain, Option<&'a str>),
    /// Those of a realm whose contract has this name, by age.
    Named(&'a str, u32, Option<&'a str>),
}

/// By whom nodes are found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Domain {
    /// By actors of this realm, their own.
    Realm(u32),
    /// By actors of other realms.
    Abroad,
}

impl Index {
    pub(super) fn insert(&mut self, node: &Node) {
        self.visit(node, |set, entry| {
            set.insert(entry);
        });
        let place = self.place(node);
        self.realms.extend(place);
    }

    pub(super) fn remove(&mut self, node: &Node) {
        self.visit(node, |set, entry| {
            set.remove(&entry);
        });
        if let Some(place) = self.place(node) {
            self.realms.remove(&place);
        }
    }

    /// The nodes of these groups, the best first; only those behind `after`. A node that is in several comes once.
    pub(super) fn ranked(&self, groups: &[Group<'_>], after: Option<Rank>) -> impl Iterator<Item = Rank> + use<'_> {
        let mut groups: Vec<_> = groups
            .iter()
            .map(|group| self.group(*group, after).peekable())
            .collect();
        from_fn(move || {
            let best = groups.iter_mut().filter_map(|ranks| ranks.peek().copied()).min()?;
            for ranks in &mut groups {
                take_if_next(ranks, best);
            }
            Some(best)
        })
    }

    fn group(&self, group: Group<'_>, after: Option<Rank>) -> impl Iterator<Item = Rank> + use<'_> {
        let number = self.hasher.hash_one(group);
        let first = after.map_or(Bound::Included((number, Rank::FIRST)), |rank| {
            Bound::Excluded((number, rank))
        });
        let ranks = self.ranks.range((first, Bound::Unbounded));
        ranks
            .take_while(move |(other, _)| *other == number)
            .map(|(_, rank)| *rank)
    }

    /// Whether there are nodes of this type in other realms than this one.
    pub(super) fn is_elsewhere(&self, actr_type: &ActrType, realm_id: u32) -> bool {
        let number = self.hasher.hash_one(actr_type);
        let mut before = self.realms.range((number, 0, 0)..(number, realm_id, 0));
        let behind = (
            Bound::Excluded((number, realm_id, u64::MAX)),
            Bound::Included((number, u32::MAX, u64::MAX)),
        );
        before.next().is_some() || self.realms.range(behind).next().is_some()
    }

    /// The serial numbers of the nodes of this type in this realm, the oldest first.
    pub(super) fn by_age(&self, actr_type: &ActrType, realm_id: u32) -> impl Iterator<Item = u64> {
        let number = self.hasher.hash_one(actr_type);
        let places = self.realms.range((number, realm_id, 0)..=(number, realm_id, u64::MAX));
        places.map(|(.., serial)| *serial)
    }

    fn place(&self, node: &Node) -> Option<(u64, u32, u64)> {
        let number = self.hasher.hash_one(node.id.actr_type());
        (!node.registration.is_hidden).then(|| (number, node.id.realm_id(), node.id.serial_number()))
    }

    /// All entries of a node.
    fn visit(&mut self, node: &Node, mut with: impl FnMut(&mut BTreeSet<(u64, Rank)>, (u64, Rank))) {
        if node.registration.is_hidden {
            return;
        }
        let (actr_type, rank) = (node.id.actr_type(), node.rank());
        let mut enter = |group: Group<'_>, rank| with(&mut self.ranks, (self.hasher.hash_one(group), rank));
        let home = Domain::Realm(node.id.realm_id());
        let abroad = node.is_found_abroad.then_some(Domain::Abroad);
        for domain in [Some(home), abroad].into_iter().flatten() {
            enter(Group::Candidates(actr_type, domain, None), rank);
            if let Some(contract) = node.registration.fingerprint() {
                enter(Group::Candidates(actr_type, domain, Some(contract)), rank);
                enter(Group::Publishers(actr_type, domain, None), rank.by_age());
                enter(Group::Publishers(actr_type, domain, Some(contract)), rank.by_age());
            }
        }
        if let Some(contract) = &node.registration.contract {
            let (name, realm_id) = (contract.name(), node.id.realm_id());
            enter(Group::Named(name, realm_id, None), rank.by_age());
            enter(
                Group::Named(name, realm_id, node.registration.fingerprint()),
                rank.by_age(),
            );
        }
    }
}

fn take_if_next(ranks: &mut Peekable<impl Iterator<Item = Rank>>, best: Rank) {
    ranks.next_if_eq(&best);
}
