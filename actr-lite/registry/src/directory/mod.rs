//! Who is registered, as plain data: no clock, no randomness, no I/O. Time is an argument.
//!
//! Leases count a monotonic time, given as the [`Duration`] since any fixed moment; renewal tokens count Unix
//! seconds, as the protocol does. A node is there from [`Directory::register`] until [`Directory::unregister`], or
//! until [`Directory::expire`] finds its lease over.

mod error;
mod load;
mod renewal_token;

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, VecDeque},
    time::Duration,
};

use actr_lite_wire::{
    acl::{self, Acl},
    credential::VerifyingKey,
    identity::{ActrId, ActrType},
    possession::{HolderKey, ReplayWindow},
    proto::{self, ServiceSpec},
};
use prost::Message as _;

pub use error::DirectoryError;
pub use load::Load;
pub use renewal_token::{RENEWAL_TOKEN_LEN, RenewalToken};

use renewal_token::RenewalTokens;

/// How many heartbeat intervals a lease lasts: two heartbeats may be lost or late, the third one missing ends it.
pub const LEASE_HEARTBEATS: u32 = 3;

/// The most nodes at a time, unless [`Limits`] say otherwise: a thousand are many, so that only a node that registers
/// in a loop meets it.
pub const MAX_NODES: usize = 10_000;

/// The most bytes of contracts, access lists and addresses that all nodes together may have stored here, unless
/// [`Limits`] say otherwise: without it the largest registration times [`MAX_NODES`] would be the bound, more than a
/// machine has.
pub const MAX_STORED_BYTES: usize = 256 * 1024 * 1024;

/// The most candidates in one answer: a client that can reach none of these asks again instead.
pub const MAX_CANDIDATES: usize = 16;

/// How many that a node has reached may answer it: more than it connects to at a time. One that is forgotten can't.
const MAX_REACHED: usize = 256;

/// How much a directory holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The most nodes at a time. Default: [`MAX_NODES`].
    pub nodes: usize,
    /// The most of them in one realm. Default: no other limit.
    pub nodes_per_realm: usize,
    /// The most bytes of what the nodes have stored. Default: [`MAX_STORED_BYTES`].
    pub stored_bytes: usize,
    /// The most of them in one realm. Default: no other limit.
    pub stored_bytes_per_realm: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            nodes: MAX_NODES,
            nodes_per_realm: usize::MAX,
            stored_bytes: MAX_STORED_BYTES,
            stored_bytes_per_realm: usize::MAX,
        }
    }
}

/// What a node says about itself when it registers.
#[derive(Debug, Clone, PartialEq)]
pub struct Registration {
    /// What it is.
    pub actr_type: ActrType,
    /// Where it lives.
    pub realm_id: u32,
    /// The contract it serves.
    pub service_spec: Option<ServiceSpec>,
    /// Who may call it.
    pub acl: Option<Acl>,
    /// Where its data lane listens; without one it may be reached over WebRTC.
    pub ws_address: Option<String>,
    /// Whether it must not be a candidate.
    pub is_hidden: bool,
    /// The key that its credentials name; without one whoever knows a credential can use it.
    pub holder_key: Option<HolderKey>,
}

impl Registration {
    fn stored_bytes(&self) -> usize {
        self.service_spec.as_ref().map_or(0, ServiceSpec::encoded_len)
            + self.acl.as_ref().map_or(0, |acl| proto::Acl::from(acl).encoded_len())
            + self.ws_address.as_ref().map_or(0, String::len)
    }
}

/// A node that an asker may reach.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// Which node.
    pub id: ActrId,
    /// Where its data lane listens; without one it may be reached over WebRTC.
    pub ws_address: Option<String>,
}

struct Node {
    id: ActrId,
    registration: Registration,
    tokens: RenewalTokens,
    /// Which proofs of its key were taken.
    proofs: ReplayWindow,
    lease_ends: Duration,
    load: Load,
    /// It was connected, and is not any more.
    is_lost: bool,
    /// The serial numbers of those whom it has reached by way of the registry, and who may answer it so. The oldest first.
    reached: VecDeque<u64>,
    /// The directory's count of answers when this node last came first in one; orders nodes of the same load.
    last_given: u64,
}

impl Node {
    fn candidate(&self) -> Candidate {
        Candidate {
            id: self.id.clone(),
            ws_address: self.registration.ws_address.clone(),
        }
    }
}

/// What one realm has here.
#[derive(Default, Clone, Copy)]
struct RealmUsage {
    nodes: usize,
    stored_bytes: usize,
}

/// All registered nodes. See the [module](self) for what its times mean.
pub struct Directory {
    lease: Duration,
    limits: Limits,
    next_serial: u64,
    nodes: HashMap<u64, Node>,
    by_type: HashMap<ActrType, BTreeSet<u64>>,
    by_lease_end: BTreeSet<(Duration, u64)>,
    stored_bytes: usize,
    by_realm: HashMap<u32, RealmUsage>,
    answers: u64,
    signing_keys: BTreeMap<u32, VerifyingKey>,
}

impl Directory {
    /// An empty directory whose nodes live for `lease` after each sign of life. Serial numbers count from
    /// `first_serial`: a random one makes sure that a registry never gives out the ids of its earlier life.
    pub fn new(first_serial: u64, lease: Duration, limits: Limits) -> Self {
        Self {
            lease,
            limits,
            next_serial: first_serial,
            nodes: HashMap::new(),
            by_type: HashMap::new(),
            by_lease_end: BTreeSet::new(),
            stored_bytes: 0,
            by_realm: HashMap::new(),
            answers: 0,
            signing_keys: BTreeMap::new(),
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

    /// Takes a node in, under a serial number that no node of this directory had before; its lease starts now.
    ///
    /// # Errors
    /// When a limit would be passed.
    pub fn register(
        &mut self,
        registration: Registration,
        token: RenewalToken,
        now: Duration,
    ) -> Result<ActrId, DirectoryError> {
        let limits = self.limits;
        if self.nodes.len() >= limits.nodes {
            return Err(DirectoryError::TooManyNodes { limit: limits.nodes });
        }
        let stored_bytes = self.stored_bytes.saturating_add(registration.stored_bytes());
        if stored_bytes > limits.stored_bytes {
            return Err(DirectoryError::TooManyBytes {
                limit: limits.stored_bytes,
            });
        }
        let realm_id = registration.realm_id;
        let mut usage = self.by_realm.get(&realm_id).copied().unwrap_or_default();
        usage.nodes += 1;
        usage.stored_bytes = usage.stored_bytes.saturating_add(registration.stored_bytes());
        if usage.nodes > limits.nodes_per_realm {
            return Err(DirectoryError::TooManyNodesInRealm {
                realm_id,
                limit: limits.nodes_per_realm,
            });
        }
        if usage.stored_bytes > limits.stored_bytes_per_realm {
            return Err(DirectoryError::TooManyBytesInRealm {
                realm_id,
                limit: limits.stored_bytes_per_realm,
            });
        }
        self.by_realm.insert(realm_id, usage);
        let serial = self.next_serial;
        self.next_serial = serial.wrapping_add(1);
        self.stored_bytes = stored_bytes;

        let id = ActrId::new(registration.realm_id, serial, registration.actr_type.clone());
        let lease_ends = now.saturating_add(self.lease);
        self.by_lease_end.insert((lease_ends, serial));
        self.by_type
            .entry(registration.actr_type.clone())
            .or_default()
            .insert(serial);
        self.nodes.insert(
            serial,
            Node {
                id: id.clone(),
                registration,
                tokens: RenewalTokens::new(token),
                proofs: ReplayWindow::default(),
                lease_ends,
                load: Load::default(),
                is_lost: false,
                reached: VecDeque::new(),
                last_given: 0,
            },
        );
        Ok(id)
    }

    /// Exchanges a node's renewal token for a fresh one. The one presented stays valid until the fresh one is used,
    /// because the answer may get lost. A sign of life.
    ///
    /// # Errors
    /// If the node is not registered, or `presented` is not one of its tokens, or expired at `unix_now`.
    pub fn renew(
        &mut self,
        id: &ActrId,
        presented: &[u8],
        fresh: RenewalToken,
        now: Duration,
        unix_now: u64,
    ) -> Result<(), DirectoryError> {
        let node = self.node_mut(id)?;
        if !node.tokens.exchange(presented, fresh, unix_now) {
            return Err(DirectoryError::RenewalToken(id.clone()));
        }
        self.sign_of_life(id, now)
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
        node.is_lost = false;
        self.by_lease_end.remove(&(before, serial));
        self.by_lease_end.insert((lease_ends, serial));
        Ok(())
    }

    /// Extends a node's lease, and notes how well it can serve.
    ///
    /// # Errors
    /// When the node is not here.
    pub fn heartbeat(&mut self, id: &ActrId, load: Load, now: Duration) -> Result<(), DirectoryError> {
        self.node_mut(id)?.load = load;
        self.sign_of_life(id, now)
    }

    /// Notes that a node's connection ended without unregistering. Until its next sign of life it is a candidate after
    /// all others: it may have lost only its registry, or be dead.
    pub fn lost(&mut self, id: &ActrId) {
        if let Ok(node) = self.node_mut(id) {
            node.is_lost = true;
        }
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

    /// Removes every node whose lease is over, and says which they were.
    pub fn expire(&mut self, now: Duration) -> Vec<ActrId> {
        let mut expired = Vec::new();
        while let Some(&(lease_ends, serial)) = self.by_lease_end.first() {
            if lease_ends > now {
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

    /// The nodes of exactly the type `target` that `asker` may reach, best first: live, with an access control list that
    /// lets the asker in, not hidden, not the asker itself.
    ///
    /// Those with an address come first, then those that [can serve](Load::can_serve), then those whose contract has
    /// the asker's `fingerprint` (if it is not empty), then those that are not [lost](Self::lost), then the more
    /// available, then the less loaded, then those that least recently came first in an answer. At most `count` and
    /// [`MAX_CANDIDATES`] of them, 0 meaning no wish. If there is no node of the type at all, the answer is empty and
    /// not an error.
    ///
    /// # Errors
    /// If there are live nodes of the type, but none admits the asker: they are in other realms only, or the
    /// list of one in the asker's realm refuses.
    pub fn route_candidates(
        &mut self,
        asker: &ActrId,
        target: &ActrType,
        fingerprint: &str,
        count: usize,
        now: Duration,
    ) -> Result<Vec<Candidate>, DirectoryError> {
        let count = if count == 0 {
            MAX_CANDIDATES
        } else {
            count.min(MAX_CANDIDATES)
        };
        let mut found = self.open_to(asker, target, now)?;
        found.retain(|node| node.id != *asker && !node.registration.is_hidden);
        found.sort_by_cached_key(|node| {
            let spec = node.registration.service_spec.as_ref();
            let differs = !fingerprint.is_empty() && spec.is_none_or(|spec| spec.fingerprint != fingerprint);
            (
                node.registration.ws_address.is_none(),
                !node.load.can_serve(),
                differs,
                node.is_lost,
                node.load,
                node.last_given,
                node.id.serial_number(),
            )
        });
        let candidates: Vec<Candidate> = found.into_iter().take(count).map(Node::candidate).collect();
        if let Some(first) = candidates.first() {
            self.answers += 1;
            let answers = self.answers;
            self.node_mut(&first.id)?.last_given = answers;
        }
        Ok(candidates)
    }

    /// The node `id`, if it is among those that [`Self::route_candidates`] names when it names all of them.
    ///
    /// # Errors
    /// As [`Self::route_candidates`].
    pub fn candidate(&self, asker: &ActrId, id: &ActrId, now: Duration) -> Result<Option<Candidate>, DirectoryError> {
        let found = self.open_to(asker, id.actr_type(), now)?;
        let mut named = found
            .into_iter()
            .filter(|node| node.id == *id && node.id != *asker && !node.registration.is_hidden);
        Ok(named.next().map(Node::candidate))
    }

    /// Lets `asker` reach `peer` by way of the registry: the peer's list admits it as a caller, or the peer has reached
    /// it before, and gets an answer.
    ///
    /// # Errors
    /// When `peer` is not here, or neither is so.
    pub fn reach(&mut self, asker: &ActrId, peer: &ActrId, now: Duration) -> Result<(), DirectoryError> {
        let found = self
            .node(peer)
            .ok()
            .filter(|node| node.lease_ends > now)
            .ok_or_else(|| DirectoryError::NoSuchPeer(peer.clone()))?;
        match acl::admit(found.registration.acl.as_ref(), peer, asker) {
            Ok(()) => {
                let reached = &mut self.node_mut(asker)?.reached;
                if !reached.contains(&peer.serial_number()) {
                    if reached.len() == MAX_REACHED {
                        reached.pop_front();
                    }
                    reached.push_back(peer.serial_number());
                }
                Ok(())
            }
            Err(_) if found.reached.contains(&asker.serial_number()) => Ok(()),
            Err(refusal) => Err(DirectoryError::Acl(refusal)),
        }
    }

    /// The contract named `name`, from the newest live node of the asker's realm that publishes one: the text of an
    /// actor type names the contract of that type, any other text the contract's own name.
    ///
    /// # Errors
    /// When no live node of the realm publishes it; if `name` is a type, it is said whether nodes of other realms
    /// have it.
    pub fn service_spec(&self, asker: &ActrId, name: &str, now: Duration) -> Result<&ServiceSpec, DirectoryError> {
        let realm_id = asker.realm_id();
        let unknown = || DirectoryError::UnknownService {
            name: name.into(),
            realm_id,
        };
        let found = match name.parse::<ActrType>() {
            Ok(actr_type) => self.open_to(asker, &actr_type, now)?,
            Err(_) => self
                .nodes
                .values()
                .filter(|node| node.lease_ends > now && node.id.realm_id() == realm_id)
                .filter(|node| {
                    node.registration
                        .service_spec
                        .as_ref()
                        .is_some_and(|spec| spec.name == name)
                })
                .collect(),
        };
        found
            .into_iter()
            .filter(|node| node.registration.service_spec.is_some())
            .max_by_key(|node| node.id.serial_number())
            .and_then(|node| node.registration.service_spec.as_ref())
            .ok_or_else(unknown)
    }

    /// Replaces the public keys of this registry.
    pub fn set_signing_keys(&mut self, keys: impl IntoIterator<Item = VerifyingKey>) {
        self.signing_keys = keys.into_iter().map(|key| (key.key_id(), key)).collect();
    }

    /// The public key of this number.
    pub fn signing_key(&self, key_id: u32) -> Option<&VerifyingKey> {
        self.signing_keys.get(&key_id)
    }

    /// The live nodes of a type whose access control lists let the asker in; an error if there are some, but none that
    /// does.
    fn open_to(&self, asker: &ActrId, actr_type: &ActrType, now: Duration) -> Result<Vec<&Node>, DirectoryError> {
        let live = self
            .by_type
            .get(actr_type)
            .into_iter()
            .flatten()
            .filter_map(|serial| self.nodes.get(serial))
            .filter(|node| node.lease_ends > now);
        let (mut open, mut is_elsewhere, mut refusal) = (Vec::new(), false, None);
        for node in live {
            match acl::admit(node.registration.acl.as_ref(), &node.id, asker) {
                Ok(()) => open.push(node),
                Err(_) if node.id.realm_id() != asker.realm_id() => is_elsewhere = true,
                Err(error) => refusal = Some(error),
            }
        }
        match refusal {
            _ if !open.is_empty() => Ok(open),
            Some(refusal) => Err(DirectoryError::Acl(refusal)),
            None if is_elsewhere => Err(DirectoryError::OtherRealm {
                actr_type: actr_type.clone(),
                realm_id: asker.realm_id(),
            }),
            None => Ok(open),
        }
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

    fn remove(&mut self, serial: u64) -> Option<ActrId> {
        let node = self.nodes.remove(&serial)?;
        self.by_lease_end.remove(&(node.lease_ends, serial));
        let stored_bytes = node.registration.stored_bytes();
        self.stored_bytes -= stored_bytes;
        let realm_id = node.registration.realm_id;
        if let Some(usage) = self.by_realm.get_mut(&realm_id) {
            usage.nodes -= 1;
            usage.stored_bytes -= stored_bytes;
            if usage.nodes == 0 {
                self.by_realm.remove(&realm_id);
            }
        }
        let actr_type = &node.registration.actr_type;
        if let Some(serials) = self.by_type.get_mut(actr_type) {
            serials.remove(&serial);
            if serials.is_empty() {
                self.by_type.remove(actr_type);
            }
        }
        Some(node.id)
    }
}
