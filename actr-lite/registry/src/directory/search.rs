//! Searches that go on in steps, each of which looks at a bounded number of nodes. Between two steps others have their
//! turn, and a node that comes, goes or changes meanwhile may be found or not.

use std::time::Duration;

use actr_lite_wire::identity::{ActrId, ActrType};
use bytes::Bytes;

use super::{
    Directory, MAX_CANDIDATES,
    error::DirectoryError,
    index::{Domain, Group},
    node::{Node, Unwanted},
    rank::Rank,
    registration::Candidate,
};

/// The most nodes that one step looks at. Each costs a microsecond or less, so that nobody waits longer than a fraction
/// of a millisecond for a step.
pub const NODES_PER_STEP: usize = 128;

/// What has been learned about the nodes that admit nobody.
#[derive(Debug, Default)]
struct Refusals {
    /// A node of the asker's realm that refuses, and what it says.
    refusal: Option<DirectoryError>,
    /// Some node admits the asker.
    is_admitted: bool,
}

impl Refusals {
    /// Whether a live node admits the asker.
    fn admits(&mut self, node: &Node, asker: &ActrId) -> bool {
        match node.admits(asker) {
            Ok(()) => {
                self.is_admitted = true;
                return true;
            }
            Err(Unwanted::Refused) if self.refusal.is_none() => {
                self.refusal = Some(DirectoryError::Acl(node.refusal(asker)));
            }
            Err(_) => {}
        }
        false
    }

    /// Why there is nobody, when all were looked at.
    fn conclude(&mut self, directory: &Directory, asker: &ActrId, actr_type: &ActrType) -> Result<(), DirectoryError> {
        if self.is_admitted {
            return Ok(());
        }
        match self.refusal.take() {
            Some(refusal) => Err(refusal),
            None if directory.index.is_elsewhere(actr_type, asker.realm_id()) => Err(DirectoryError::OtherRealm {
                actr_type: actr_type.clone(),
                realm_id: asker.realm_id(),
            }),
            None => Ok(()),
        }
    }
}

/// A search for the nodes of exactly one type that an asker may reach, best first: live, with an access control list that
/// lets the asker in, not hidden, not the asker itself.
///
/// Those whose contract has the asker's fingerprint come first (if it is not empty), so that others can't crowd them out.
/// Then those with an address, those that [can serve](super::Load::can_serve), those that are not
/// [lost](Directory::lost), the more available, the less loaded, and at last those that least recently came first in an
/// answer; a new node counts as having just done so.
#[derive(Debug)]
pub struct CandidateSearch {
    asker: ActrId,
    target: ActrType,
    fingerprint: Option<Box<str>>,
    count: usize,
    found: Vec<Candidate>,
    refusals: Refusals,
    /// Whether it is through with those that have the asker's contract.
    is_at_others: bool,
    /// Behind which to go on.
    after: Option<Rank>,
    examined: usize,
}

impl CandidateSearch {
    /// A search for at most `count` and [`MAX_CANDIDATES`] nodes, 0 meaning no wish.
    pub fn new(asker: ActrId, target: ActrType, fingerprint: &str, count: usize) -> Self {
        let count = if count == 0 { MAX_CANDIDATES } else { count };
        Self {
            asker,
            target,
            fingerprint: (!fingerprint.is_empty()).then(|| fingerprint.into()),
            count: count.min(MAX_CANDIDATES),
            found: Vec::new(),
            refusals: Refusals::default(),
            is_at_others: fingerprint.is_empty(),
            after: None,
            examined: 0,
        }
    }

    /// How many nodes were looked at.
    pub fn examined(&self) -> usize {
        self.examined
    }

    /// Goes on; the candidates when it is through, and none if there is no such node at all.
    ///
    /// # Errors
    /// If there are such nodes, but none admits the asker: they are in other realms only, or the list of one in the asker's
    /// realm refuses.
    pub fn step(&mut self, directory: &mut Directory, now: Duration) -> Option<Result<Vec<Candidate>, DirectoryError>> {
        let mut left = NODES_PER_STEP;
        while !self.look(directory, now, &mut left) {
            if left == 0 {
                return None;
            }
            (self.is_at_others, self.after) = (true, None);
        }
        if let Some(first) = self.found.first() {
            directory.given(&first.id);
        }
        let found = std::mem::take(&mut self.found);
        Some(
            self.refusals
                .conclude(directory, &self.asker, &self.target)
                .map(|()| found),
        )
    }

    /// Looks at nodes that do, or don't, have the asker's contract. True when the search is through.
    fn look(&mut self, directory: &Directory, now: Duration, left: &mut usize) -> bool {
        let wanted = self.fingerprint.as_deref();
        let contract = if self.is_at_others { None } else { wanted };
        let groups = [Domain::Realm(self.asker.realm_id()), Domain::Abroad]
            .map(|domain| Group::Candidates(&self.target, domain, contract));
        for rank in directory.index.ranked(&groups, self.after) {
            if *left == 0 {
                return false;
            }
            *left -= 1;
            self.examined += 1;
            self.after = Some(rank);
            let Some(node) = directory.nodes.get(&rank.serial) else {
                continue;
            };
            let is_repeated = self.is_at_others && wanted.is_some() && node.registration.fingerprint() == wanted;
            if is_repeated || node.id == self.asker || !node.is_live(now) || !self.refusals.admits(node, &self.asker) {
                continue;
            }
            // It may have changed its place between two steps.
            if self.found.iter().all(|found| found.id != node.id) {
                self.found.push(node.candidate());
            }
            if self.found.len() == self.count {
                return true;
            }
        }
        self.is_at_others
    }
}

/// A search for a contract that live nodes publish: of a type, if the name is the text of one, and otherwise by the
/// contract's own name, in the asker's realm. Nodes that are hidden have no say in it.
///
/// If they publish several, it is the one with this fingerprint; without that the one of the node that is easiest to reach,
/// and of those the one that has been here longest: a new node does not change the answer.
#[derive(Debug)]
pub struct ContractSearch {
    asker: ActrId,
    name: Box<str>,
    actr_type: Option<ActrType>,
    fingerprint: Option<Box<str>>,
    refusals: Refusals,
    after: Option<Rank>,
}

impl ContractSearch {
    /// A search for what is published under this name.
    pub fn new(asker: ActrId, name: &str, fingerprint: Option<&str>) -> Self {
        Self {
            asker,
            name: name.into(),
            actr_type: name.parse().ok(),
            fingerprint: fingerprint.map(Into::into),
            refusals: Refusals::default(),
            after: None,
        }
    }

    /// Goes on; the contract when it is found, as an encoded `ServiceSpec`.
    ///
    /// # Errors
    /// When no live node publishes it to the asker; if the name is a type, it is said whether nodes of other realms have
    /// it.
    pub fn step(&mut self, directory: &Directory, now: Duration) -> Option<Result<Bytes, DirectoryError>> {
        let fingerprint = self.fingerprint.as_deref();
        let realm_id = self.asker.realm_id();
        let of_type =
            |of| [Domain::Realm(realm_id), Domain::Abroad].map(|domain| Group::Publishers(of, domain, fingerprint));
        let ranks = match &self.actr_type {
            Some(actr_type) => directory.index.ranked(&of_type(actr_type), self.after),
            None => directory
                .index
                .ranked(&[Group::Named(&self.name, realm_id, fingerprint)], self.after),
        };
        for (looked_at, rank) in ranks.enumerate() {
            if looked_at == NODES_PER_STEP {
                return None;
            }
            self.after = Some(rank);
            let node = directory.nodes.get(&rank.serial).filter(|node| node.is_live(now));
            let Some(node) = node else { continue };
            // By its own name a contract is found by everybody in the realm.
            if self.actr_type.is_none() || self.refusals.admits(node, &self.asker) {
                let contract = node.registration.contract.as_ref();
                return Some(
                    contract
                        .map(|contract| contract.encoded())
                        .ok_or_else(|| self.unknown()),
                );
            }
        }
        let concluded = match &self.actr_type {
            Some(actr_type) => {
                let here = Group::Candidates(actr_type, Domain::Realm(realm_id), None);
                self.refusals.is_admitted |=
                    self.refusals.refusal.is_none() && directory.index.ranked(&[here], None).next().is_some();
                self.refusals.conclude(directory, &self.asker, actr_type)
            }
            None => Ok(()),
        };
        Some(concluded.and_then(|()| Err(self.unknown())))
    }

    fn unknown(&self) -> DirectoryError {
        DirectoryError::UnknownService {
            name: (&*self.name).into(),
            realm_id: self.asker.realm_id(),
        }
    }
}
