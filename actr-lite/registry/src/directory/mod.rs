//! Who is registered, as plain data: no clock, no randomness, no I/O. Time is an argument.
//!
//! Leases count a monotonic time, given as the [`Duration`] since any fixed moment; renewal tokens count Unix
//! seconds, as the protocol does. A node is there from [`Directory::register`] until [`Directory::unregister`], or
//! until [`Directory::expire`] finds its lease over.
//!
//! No operation looks at more than a bounded number of nodes, so that a lock around the directory is held for a fraction of
//! a millisecond, however many there are: what may take longer goes on in steps, as [`CandidateSearch`] does.

mod access_list;
mod contest;
mod error;
mod footprint;
mod index;
mod load;
mod node;
mod rank;
mod registration;
mod renewal;
mod search;
mod type_holders;

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    time::Duration,
};

use actr_lite_admin::paging::Page;
use actr_lite_net::source::Source;
use actr_lite_wire::{credential::VerifyingKey, identity::ActrId, possession::HolderKey};

pub use access_list::AccessList;
pub use contest::{Contest, Rival};
pub use error::{DirectoryError, REGISTER_AGAIN};
pub use footprint::NODE_BYTES;
pub use load::Load;
pub use registration::{Candidate, Contract, Listed, Registration};
pub use renewal::{Grant, Purpose, RENEWAL_TOKEN_LEN, RenewalToken, ShownToken};
pub use search::{CandidateSearch, ContractSearch, NODES_PER_STEP};

use crate::ledger::{Holder, Ledger, Resource, Shares};
use index::Index;
use node::{Node, Standing, Unwanted};
use renewal::{Renewals, TokenError};
use type_holders::TypeHolders;

/// How many heartbeat intervals a lease lasts: two heartbeats may be lost or late, the third one missing ends it.
pub const LEASE_HEARTBEATS: u32 = 3;

/// The most nodes at a time, unless [`Limits`] say otherwise: a thousand are many, so that only a node that registers
/// in a loop meets it.
pub const MAX_NODES: usize = 10_000;

/// The most bytes of memory for all nodes together, unless [`Limits`] say otherwise: without it the largest registration
/// times [`MAX_NODES`] would be the bound, more than a machine has.
pub const MAX_STORED_BYTES: usize = 256 * 1024 * 1024;

/// The most candidates in one answer: a client that can reach none of these asks again instead.
pub const MAX_CANDIDATES: usize = 16;

/// The most nodes that [`Directory::expire`] removes at a time: each takes some microseconds.
pub const EXPIRED_PER_STEP: usize = 32;

/// How much a directory holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The most nodes at a time. Default: [`MAX_NODES`], and no other shares.
    pub nodes: Shares,
    /// The most bytes of memory for what the nodes have stored. Default: [`MAX_STORED_BYTES`], and no other shares.
    pub stored_bytes: Shares,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            nodes: Shares::of_all(MAX_NODES),
            stored_bytes: Shares::of_all(MAX_STORED_BYTES),
        }
    }
}

/// A node that is not registered any more. What it has stored is let go when this is dropped, for which nobody else has
/// to wait.
#[derive(Debug)]
pub struct Departed(Node);

impl Departed {
    /// Who it was.
    pub fn id(&self) -> &ActrId {
        &self.0.id
    }
}

/// All registered nodes. See the [module](self) for what its times mean.
pub struct Directory {
    lease: Duration,
    next_serial: u64,
    nodes: HashMap<u64, Node>,
    index: Index,
    by_lease_end: BTreeSet<(Duration, u64)>,
    registered: Ledger,
    stored_bytes: Ledger,
    /// How many answers named a candidate.
    answers: u64,
    signing_keys: BTreeMap<u32, VerifyingKey>,
    type_holders: TypeHolders,
}

impl Directory {
    /// An empty directory whose nodes live for `lease` after each sign of life. Serial numbers count from
    /// `first_serial`: a random one makes sure that a registry never gives out the ids of its earlier life.
    pub fn new(first_serial: u64, lease: Duration, limits: Limits) -> Self {
        Self {
            lease,
            next_serial: first_serial,
            nodes: HashMap::new(),
            index: Index::default(),
            by_lease_end: BTreeSet::new(),
            registered: Ledger::new(Resource::Nodes, limits.nodes),
            stored_bytes: Ledger::new(Resource::StoredBytes, limits.stored_bytes),
            answers: 0,
            signing_keys: BTreeMap::new(),
            type_holders: TypeHolders::default(),
        }
    }

    /// How many nodes there are.
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Whether there is no node.
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// How many bytes are counted for what the nodes have stored.
    pub fn stored_bytes(&self) -> usize {
        self.stored_bytes.held()
    }

    /// The nodes of a page, the newest first. It takes as long as one look at each node's number.
    pub fn page(&self, page: Page) -> Vec<Listed> {
        let serials = page.of_keys(self.nodes.keys().copied().collect());
        let nodes = serials.iter().filter_map(|serial| self.nodes.get(serial));
        nodes.map(Node::listed).collect()
    }

    /// How many nodes each realm has.
    pub fn nodes_by_realm(&self) -> impl Iterator<Item = (u32, usize)> {
        self.registered.by_realm()
    }

    /// How often each limit was reached, by the name of its option.
    pub fn limits_reached(&self) -> impl Iterator<Item = (String, u64)> {
        let ledgers = [&self.registered, &self.stored_bytes];
        ledgers.into_iter().flat_map(Ledger::limits_reached)
    }

    /// Whether this node is here.
    pub fn knows(&self, id: &ActrId) -> bool {
        self.node(id).is_ok()
    }

    /// The key that a node's credentials name, if they name one.
    ///
    /// # Errors
    /// When the node is not here.
    pub fn holder_key(&self, id: &ActrId) -> Result<Option<&HolderKey>, DirectoryError> {
        Ok(self.node(id)?.registration.holder_key.as_ref())
    }

    /// Takes a proof of this number by a node's key; false if it was taken before, or may have been.
    ///
    /// # Errors
    /// When the node is not here.
    pub fn take_proof(&mut self, id: &ActrId, number: u64) -> Result<bool, DirectoryError> {
        Ok(self.node_mut(id)?.proofs.take(number))
    }

    /// Takes a node in, under a serial number that no node of this directory had before; its lease starts now. It is there
    /// on the account of its realm, and of where it comes `from`. `key` is random, and proves its renewal tokens.
    ///
    /// # Errors
    /// When a limit would be passed.
    pub fn register(
        &mut self,
        registration: Registration,
        from: Source,
        key: [u8; 32],
        now: Duration,
        unix_now: u64,
    ) -> Result<(ActrId, Grant), DirectoryError> {
        let holder = Holder {
            source: from,
            realm_id: Some(registration.realm_id),
        };
        let stored_bytes = registration.stored_bytes();
        self.stored_bytes.has_room(holder, stored_bytes)?;
        self.registered.take(holder, 1)?;
        self.stored_bytes.take(holder, stored_bytes)?;
        let serial = self.next_serial;
        self.next_serial = serial.wrapping_add(1);

        let id = ActrId::new(registration.realm_id, serial, registration.actr_type.clone());
        self.type_holders
            .registered(&registration.actr_type, registration.realm_id, registration.secret);
        let lease_ends = now.saturating_add(self.lease);
        let renewals = Renewals::new(key, unix_now);
        let grant = renewals.grant();
        let mut node = Node::new(id.clone(), registration, holder, renewals, now, lease_ends);
        // As if it were the last one given: whoever registers again and again is not preferred by that.
        node.standing.last_given = self.answers;
        self.by_lease_end.insert((lease_ends, serial));
        self.index.insert(&node);
        self.nodes.insert(serial, node);
        Ok((id, grant))
    }

    /// What there is to say about a registration's type before it is registered.
    pub fn contest(&self, registration: &Registration, now: Duration) -> Contest {
        let Registration {
            actr_type,
            realm_id,
            secret,
            ..
        } = registration;
        Contest {
            rival: self.rival(registration, now),
            taken_from: self.type_holders.others(actr_type, *realm_id, *secret),
        }
    }

    /// How a registration differs from that of the candidate that has held its type in its realm for longest.
    fn rival(&self, registration: &Registration, now: Duration) -> Option<Rival> {
        let serials = self.index.of_type(&registration.actr_type, registration.realm_id);
        let mut nodes = serials
            .take(NODES_PER_STEP)
            .filter_map(|serial| self.nodes.get(&serial));
        let holder = nodes.find(|node| node.is_live(now))?;
        Rival::between(registration, &holder.id, &holder.registration)
    }

    /// Exchanges a node's renewal token for a new one; a sign of life. If the answer gets lost, the node may try once more
    /// from the same address, soon, and gets the same.
    ///
    /// # Errors
    /// If the node is not registered, or it is not its token, or one that is not valid for its purpose at `unix_now`. If it is one that was
    /// used before, and by somebody without the node's key, two have it, and nobody can tell which of them is the node: its
    /// registration ends.
    pub fn renew(
        &mut self,
        id: &ActrId,
        shown: ShownToken<'_>,
        now: Duration,
        unix_now: u64,
    ) -> Result<Grant, DirectoryError> {
        match self.node_mut(id)?.renewals.exchange(shown, now, unix_now) {
            Ok(()) => {
                self.sign_of_life(id, now)?;
                Ok(self.node(id)?.renewals.grant())
            }
            Err(TokenError::Invalid) => Err(DirectoryError::RenewalToken(id.clone())),
            Err(TokenError::Reused) => {
                self.remove(id.serial_number());
                Err(DirectoryError::RenewalReused(id.clone()))
            }
        }
    }

    /// Extends a node's lease.
    ///
    /// # Errors
    /// When the node is not here.
    pub fn sign_of_life(&mut self, id: &ActrId, now: Duration) -> Result<(), DirectoryError> {
        let serial = id.serial_number();
        let lease_ends = now.saturating_add(self.lease);
        let node = self.node_mut(id)?;
        let before = std::mem::replace(&mut node.lease_ends, lease_ends);
        self.by_lease_end.remove(&(before, serial));
        self.by_lease_end.insert((lease_ends, serial));
        self.change_rank(serial, |standing| standing.is_lost = false);
        Ok(())
    }

    /// Extends a node's lease, and notes how well it can serve.
    ///
    /// # Errors
    /// When the node is not here.
    pub fn heartbeat(&mut self, id: &ActrId, load: Load, now: Duration) -> Result<(), DirectoryError> {
        self.sign_of_life(id, now)?;
        self.change_rank(id.serial_number(), |standing| standing.load = load);
        Ok(())
    }

    /// Notes that a node's connection ended without unregistering. Until its next sign of life it is a candidate after
    /// all others: it may have lost only its registry, or be dead.
    pub fn lost(&mut self, id: &ActrId) {
        if self.knows(id) {
            self.change_rank(id.serial_number(), |standing| standing.is_lost = true);
        }
    }

    /// Notes that a node came first in an answer.
    fn given(&mut self, id: &ActrId) {
        self.answers += 1;
        let answers = self.answers;
        self.change_rank(id.serial_number(), |standing| standing.last_given = answers);
    }

    /// Lets a node go.
    ///
    /// # Errors
    /// When the node is not here.
    pub fn unregister(&mut self, id: &ActrId) -> Result<(), DirectoryError> {
        self.node(id)?;
        self.remove(id.serial_number());
        Ok(())
    }

    /// Removes nodes whose leases are over, [`EXPIRED_PER_STEP`] at the most, and says which they were. Where that is
    /// how many there are, there may be more.
    pub fn expire(&mut self, now: Duration) -> Vec<Departed> {
        let mut expired = Vec::new();
        while let Some(&(lease_ends, serial)) = self.by_lease_end.first() {
            if lease_ends > now || expired.len() == EXPIRED_PER_STEP {
                break;
            }
            self.by_lease_end.pop_first();
            expired.extend(self.remove(serial));
        }
        expired
    }

    /// When the first lease ends, if none is extended until then.
    pub fn next_expiry(&self) -> Option<Duration> {
        self.by_lease_end.first().map(|(lease_ends, _)| *lease_ends)
    }

    /// The node `id`, if a [`CandidateSearch`] that goes on to its end finds it.
    ///
    /// # Errors
    /// If it is here, and does not admit the asker.
    pub fn candidate(&self, asker: &ActrId, id: &ActrId, now: Duration) -> Result<Option<Candidate>, DirectoryError> {
        let named = |node: &&Node| node.is_live(now) && node.id != *asker && !node.registration.is_hidden;
        let Some(node) = self.node(id).ok().filter(named) else {
            return Ok(None);
        };
        match node.admits(asker) {
            Ok(()) => Ok(Some(node.candidate())),
            Err(Unwanted::Stranger) => Err(DirectoryError::OtherRealm {
                actr_type: id.actr_type().clone(),
                realm_id: asker.realm_id(),
            }),
            Err(Unwanted::Refused) => Err(DirectoryError::Acl(node.refusal(asker))),
        }
    }

    /// Lets `asker` reach `peer` by way of the registry: the peer's list admits it as a caller, or the peer has reached
    /// it before, and gets an answer.
    ///
    /// # Errors
    /// When `peer` is not here, or neither is so.
    pub fn reach(&mut self, asker: &ActrId, peer: &ActrId, now: Duration) -> Result<(), DirectoryError> {
        let found = self.node(peer).ok().filter(|node| node.is_live(now));
        let found = found.ok_or_else(|| DirectoryError::NoSuchPeer(peer.clone()))?;
        match found.admits(asker) {
            Ok(()) => self.node_mut(asker)?.has_reached(peer.serial_number()),
            Err(_) if found.is_answered_by(asker.serial_number()) => {}
            Err(_) => return Err(DirectoryError::Acl(found.refusal(asker))),
        }
        Ok(())
    }

    /// Replaces the public keys of this registry.
    pub fn set_signing_keys(&mut self, keys: impl IntoIterator<Item = VerifyingKey>) {
        self.signing_keys = keys.into_iter().map(|key| (key.key_id(), key)).collect();
    }

    /// The public key of this number.
    pub fn signing_key(&self, key_id: u32) -> Option<&VerifyingKey> {
        self.signing_keys.get(&key_id)
    }

    fn node(&self, id: &ActrId) -> Result<&Node, DirectoryError> {
        self.nodes
            .get(&id.serial_number())
            .filter(|node| node.id == *id)
            .ok_or_else(|| DirectoryError::UnknownNode(id.clone()))
    }

    fn node_mut(&mut self, id: &ActrId) -> Result<&mut Node, DirectoryError> {
        self.nodes
            .get_mut(&id.serial_number())
            .filter(|node| node.id == *id)
            .ok_or_else(|| DirectoryError::UnknownNode(id.clone()))
    }

    /// Changes what a node's rank is made of; heartbeats mostly change nothing.
    fn change_rank(&mut self, serial: u64, change: impl FnOnce(&mut Standing)) {
        let Some(node) = self.nodes.get_mut(&serial) else {
            return;
        };
        let mut standing = node.standing;
        change(&mut standing);
        if standing != node.standing {
            self.index.remove(node);
            node.standing = standing;
            self.index.insert(node);
        }
    }

    fn remove(&mut self, serial: u64) -> Option<Departed> {
        let node = self.nodes.remove(&serial)?;
        self.by_lease_end.remove(&(node.lease_ends, serial));
        self.index.remove(&node);
        self.registered.give_back(node.holder, 1);
        self.stored_bytes
            .give_back(node.holder, node.registration.stored_bytes());
        Some(Departed(node))
    }
}
