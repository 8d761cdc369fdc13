//! What peers make this node hold: an account for each, one for each realm, one for the node.

use std::sync::Arc;

use actr_lite_quota::{Limit, Modesty, Parts, Permit, Quota};
use actr_lite_wire::identity::ActrId;

/// What a connection costs as long as it is open: its task, its state, a read buffer of 16 KiB and as much that waits to
/// be sent.
pub const CONNECTION_COST: usize = 48 << 10;

/// What a call costs while it is served, beside its request: its task, with a handler of usual size.
pub const CALL_COST: usize = 2 << 10;

/// What a stream that is sent costs: its state at both layers, and the task that sends it.
pub const STREAM_COST: usize = 2 << 10;

/// How much all windows of one connection may grow together beyond what each stream starts with: enough for one or two
/// streams at full speed, which need it, while many share the connection anyway. What is on its way is ahead of every
/// call on the same connection.
const CONNECTION_GROWTH: usize = 1 << 20;

/// A peer holds at most this part of what is left to all of its realm. With a quarter sixteen peers that take all the bytes
/// that they get leave a seventh to others.
const LEFT_TO_OTHERS: usize = 4;

/// What a peer may have however little is left to others: what an ordinary one needs.
const FEW_CONNECTIONS: usize = 4;
const FEW_STREAMS: usize = 16;
const FEW_CALLS: usize = 16;
const FEW_BYTES: usize = 64 << 10;

/// Windows that have grown take at most this part of a peer's bytes: they make streams faster, and must not take the room
/// of what can't do without.
const GROWTH_PART: usize = 4;

const CONNECTIONS: &str = "system.limits.max_connections";
const STREAMS: &str = "system.limits.max_streams";
const CALLS: &str = "system.limits.max_calls";
const BYTES: &str = "system.limits.max_bytes";

/// What peers may make a node hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AccountLimits {
    /// Connections that others make.
    pub connections: usize,
    /// Those of one peer among them.
    pub connections_per_peer: usize,
    /// Streams that the node sends.
    pub streams: usize,
    /// Those to one peer among them.
    pub streams_per_peer: usize,
    /// Calls that the node serves.
    pub calls: usize,
    /// Those of one peer among them, and the calls to one peer that wait for its answer.
    pub calls_per_peer: usize,
    /// The memory, in whatever form.
    pub bytes: usize,
    /// That for one peer.
    pub bytes_per_peer: usize,
    /// How many realms beside the own one have peers here.
    pub other_realms: usize,
}

/// All accounts of a node.
#[derive(Debug)]
pub struct Accounts {
    limits: AccountLimits,
    own_realm: u32,
    node: Shares,
    /// Of all realms but the own one.
    others: Shares,
    own: Shares,
    other_realms: Arc<Quota>,
    realms: Parts<u32, RealmAccount>,
    peers: Parts<ActrId, PeerAccount>,
}

/// What can be held, each by itself.
#[derive(Debug, Clone)]
struct Shares {
    connections: Arc<Quota>,
    streams: Arc<Quota>,
    calls: Arc<Quota>,
    bytes: Arc<Quota>,
}

impl Shares {
    /// A part of each.
    fn part(&self, what: [&'static str; 4], of: impl Fn(usize) -> usize) -> Self {
        let part = |quota: &Arc<Quota>, what| {
            let limit = quota.limit();
            quota.part(Limit::new(what, limit.key(), of(limit.value()).max(1)))
        };
        Self {
            connections: part(&self.connections, what[0]),
            streams: part(&self.streams, what[1]),
            calls: part(&self.calls, what[2]),
            bytes: part(&self.bytes, what[3]),
        }
    }
}

const OF_OTHER_REALMS: [&str; 4] = [
    "connections of other realms",
    "streams to other realms open",
    "calls of other realms to serve",
    "bytes held for other realms",
];

const OF_THIS_REALM: [&str; 4] = [
    "connections of this realm",
    "streams to this realm open",
    "calls of this realm to serve",
    "bytes held for this realm",
];

#[derive(Debug)]
struct RealmAccount {
    shares: Shares,
    /// Its place among the other realms.
    _place: Option<Permit>,
}

/// What one peer makes this node hold, over all its connections, and after them as long as something of it is held.
#[derive(Debug)]
pub struct PeerAccount {
    connections: Arc<Quota>,
    streams: Arc<Quota>,
    calls: Arc<Quota>,
    bytes: Arc<Quota>,
    /// What windows have grown, a part of the bytes.
    growth: Arc<Quota>,
    waiting_calls: Arc<Quota>,
    _realm: Arc<RealmAccount>,
}

impl Accounts {
    /// For a node of this realm. `admits_others`: its access list has a rule for nodes of other realms, which have half of
    /// everything then.
    pub fn new(limits: AccountLimits, own_realm: u32, admits_others: bool) -> Self {
        let whole = |what, key, value| Quota::whole(Limit::new(what, key, value));
        let node = Shares {
            connections: whole("connections", CONNECTIONS, limits.connections),
            streams: whole("streams open", STREAMS, limits.streams),
            calls: whole("calls to serve", CALLS, limits.calls),
            bytes: whole("bytes held for its peers", BYTES, limits.bytes),
        };
        let own_part = |whole: usize| if admits_others { whole.div_ceil(2) } else { whole };
        let other_realms = Limit::new(
            "other realms with peers here",
            "system.limits.max_other_realms",
            limits.other_realms,
        );
        Self {
            limits,
            own_realm,
            others: node.part(OF_OTHER_REALMS, |whole| whole / 2),
            own: node.part(OF_THIS_REALM, own_part),
            node,
            other_realms: Quota::whole(other_realms),
            realms: Parts::default(),
            peers: Parts::default(),
        }
    }

    /// The streams that the node sends.
    pub fn streams(&self) -> &Quota {
        &self.node.streams
    }

    /// The bytes that it holds for its peers.
    pub fn bytes(&self) -> &Quota {
        &self.node.bytes
    }

    /// The connections that others have made.
    pub fn connections(&self) -> &Quota {
        &self.node.connections
    }

    /// The calls that the node serves.
    pub fn calls(&self) -> &Quota {
        &self.node.calls
    }

    /// The account of a peer.
    ///
    /// # Errors
    /// Its realm is one too many.
    pub fn of(&self, peer: &ActrId) -> Result<Arc<PeerAccount>, Limit> {
        let make = || {
            let make = || self.realm(peer.realm_id());
            let realm = self.realms.find_or_make(peer.realm_id(), make)?;
            Ok(PeerAccount::new(self, realm))
        };
        self.peers.find_or_make(peer.clone(), make)
    }

    fn realm(&self, realm: u32) -> Result<RealmAccount, Limit> {
        if realm == self.own_realm {
            return Ok(RealmAccount {
                shares: self.own.clone(),
                _place: None,
            });
        }
        let place = self.other_realms.take(1)?;
        let realms = self.limits.other_realms;
        Ok(RealmAccount {
            shares: self.others.part(OF_THIS_REALM, |others| others / realms),
            _place: Some(place),
        })
    }
}

impl PeerAccount {
    fn new(accounts: &Accounts, realm: Arc<RealmAccount>) -> Self {
        const CONNECTIONS: &str = "system.limits.max_connections_per_peer";
        const STREAMS: &str = "system.limits.max_streams_per_peer";
        const CALLS: &str = "system.limits.max_calls_per_peer";
        const BYTES: &str = "system.limits.max_bytes_per_peer";
        let limits = &accounts.limits;
        let Shares {
            connections,
            streams,
            calls,
            bytes,
        } = &realm.shares;
        let max_calls = limits.calls_per_peer;
        let part = |of: &Arc<Quota>, limit, floor| {
            let divisor = LEFT_TO_OTHERS;
            of.modest_part(limit, Modesty { divisor, floor })
        };
        let limit = Limit::new("connections of this peer", CONNECTIONS, limits.connections_per_peer);
        let connections = part(connections, limit, FEW_CONNECTIONS);
        let limit = Limit::new("streams to one peer open", STREAMS, limits.streams_per_peer);
        let streams = part(streams, limit, FEW_STREAMS);
        let limit = Limit::new("calls of one peer to serve", CALLS, max_calls);
        let calls = part(calls, limit, FEW_CALLS);
        let limit = Limit::new("bytes held for one peer", BYTES, limits.bytes_per_peer);
        let bytes = part(bytes, limit, FEW_BYTES);
        let growth = Limit::new(
            "bytes of windows from one peer grown",
            BYTES,
            limits.bytes_per_peer / GROWTH_PART,
        );
        Self {
            growth: bytes.part(growth),
            connections,
            streams,
            calls,
            bytes,
            waiting_calls: Quota::whole(Limit::new("calls to one peer waiting", CALLS, max_calls)),
            _realm: realm,
        }
    }

    /// Room for a connection that the peer makes.
    pub fn admit(self: &Arc<Self>) -> Result<Admission, Limit> {
        let place = self.connections.take(1)?;
        let mut admission = self.dial()?;
        admission.place = Some(place);
        Ok(admission)
    }

    /// Room for a connection to the peer.
    pub fn dial(self: &Arc<Self>) -> Result<Admission, Limit> {
        Ok(Admission {
            place: None,
            _memory: self.bytes.take(CONNECTION_COST)?,
            account: Arc::clone(self),
        })
    }

    /// Room for a stream to the peer.
    pub fn stream(&self) -> Result<[Permit; 2], Limit> {
        Ok([self.streams.take(1)?, self.bytes.take(STREAM_COST)?])
    }

    /// Room for a call of the peer, whose request takes this much.
    pub fn call(&self, bytes: usize) -> Result<[Permit; 2], Limit> {
        Ok([self.calls.take(1)?, self.bytes.take(CALL_COST.saturating_add(bytes))?])
    }

    /// Room for a call to the peer.
    pub fn waiting_call(&self) -> Result<Permit, Limit> {
        self.waiting_calls.take(1)
    }

    /// Room for the windows of one connection to grow. What is granted to the peer can arrive at once,
    /// and then has to be held.
    pub fn growth_of_a_connection(&self) -> Arc<Quota> {
        let limit = Limit::new(
            "bytes of windows on one connection grown",
            self.growth.limit().key(),
            CONNECTION_GROWTH,
        );
        self.growth.part(limit)
    }

    /// What the peer makes this node hold in all.
    pub fn bytes(&self) -> &Quota {
        &self.bytes
    }

    /// Room for so many bytes.
    pub fn hold(&self, bytes: usize) -> Result<Permit, Limit> {
        self.bytes.take(bytes)
    }
}

/// A connection's place; dropping it gives it back.
#[derive(Debug)]
pub struct Admission {
    /// Among those that the peer makes.
    place: Option<Permit>,
    _memory: Permit,
    account: Arc<PeerAccount>,
}

impl Admission {
    /// The peer's.
    pub fn account(&self) -> &Arc<PeerAccount> {
        &self.account
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: usize = 1 << 20;

    /// Those of a node that says nothing.
    const LIMITS: AccountLimits = AccountLimits {
        connections: 2048,
        connections_per_peer: 64,
        streams: 65_536,
        streams_per_peer: 2048,
        calls: 65_536,
        calls_per_peer: 2048,
        bytes: 256 * MIB,
        bytes_per_peer: 16 * MIB,
        other_realms: 4,
    };

    fn peer(realm: u32, serial: u64) -> ActrId {
        ActrId::new(realm, serial, "acme+Peer".parse().unwrap())
    }

    /// Lets peers of a realm take all that they get, of everything.
    fn greedy(accounts: &Accounts, realm: u32, peers: u64, held: &mut Vec<Admission>, permits: &mut Vec<Permit>) {
        for serial in 0..peers {
            let Ok(account) = accounts.of(&peer(realm, serial)) else {
                return;
            };
            held.extend(std::iter::from_fn(|| account.admit().ok()));
            permits.extend(std::iter::from_fn(|| account.hold(MIB / 4).ok()));
            for places in [&account.streams, &account.calls] {
                permits.extend(std::iter::from_fn(|| places.take(1).ok()));
            }
        }
    }

    #[test]
    fn other_realms_leave_the_own_one_its_half() {
        let accounts = Accounts::new(LIMITS, 1, false);
        let (mut held, mut bytes) = (Vec::new(), Vec::new());
        for realm in 2..10 {
            greedy(&accounts, realm, 100, &mut held, &mut bytes);
        }
        assert_eq!(
            accounts.of(&peer(7, 1)).unwrap_err().key(),
            "system.limits.max_other_realms"
        );
        assert!(accounts.node.bytes.used() <= 128 * MIB && accounts.node.connections.used() <= 1024);
        assert!(accounts.node.streams.used() <= 32_768 && accounts.node.calls.used() <= 32_768);
        let own = accounts.of(&peer(1, 1)).unwrap();
        assert!(own.admit().is_ok() && own.hold(12 * MIB).is_ok());
        assert!(own.streams.take(2048).is_ok() && own.calls.take(2048).is_ok());
    }

    #[test]
    fn no_realm_takes_what_is_anothers() {
        let accounts = Accounts::new(LIMITS, 1, true);
        let (mut held, mut bytes) = (Vec::new(), Vec::new());
        greedy(&accounts, 1, 1000, &mut held, &mut bytes);
        for realm in 2..5 {
            greedy(&accounts, realm, 1000, &mut held, &mut bytes);
        }
        let last = accounts.of(&peer(5, 1)).unwrap();
        assert!(last.admit().is_ok() && last.hold(6 * MIB).is_ok());
        assert!(last.streams.take(1024).is_ok() && last.calls.take(1024).is_ok());
    }

    #[test]
    fn sixteen_greedy_peers_leave_something_to_their_realm() {
        let accounts = Accounts::new(LIMITS, 1, false);
        let (mut held, mut bytes) = (Vec::new(), Vec::new());
        greedy(&accounts, 1, 16, &mut held, &mut bytes);
        let account = accounts.of(&peer(1, 100)).unwrap();
        assert!(account.admit().is_ok() && account.hold(4 * MIB).is_ok());
        assert!(account.stream().is_ok() && account.call(MIB).is_ok());
    }

    #[test]
    fn forty_greedy_peers_leave_connections_and_streams() {
        let accounts = Accounts::new(LIMITS, 1, false);
        let mut held = Vec::new();
        for serial in 0..40 {
            let account = accounts.of(&peer(1, serial)).unwrap();
            held.extend(std::iter::from_fn(|| account.connections.take(1).ok()));
            held.extend(std::iter::from_fn(|| account.streams.take(1).ok()));
            held.extend(std::iter::from_fn(|| account.calls.take(1).ok()));
        }
        let account = accounts.of(&peer(1, 100)).unwrap();
        assert!(
            account.connections.take(1).is_ok() && account.streams.take(16).is_ok() && account.calls.take(16).is_ok()
        );
    }

    #[test]
    fn windows_that_grow_leave_most_of_a_share() {
        let accounts = Accounts::new(LIMITS, 1, false);
        let account = accounts.of(&peer(1, 1)).unwrap();
        let connections = (0..64).map(|_| account.growth_of_a_connection());
        let grown: Vec<_> = connections.filter_map(|growth| growth.take(MIB).ok()).collect();
        assert_eq!(grown.len(), 4);
        assert!(account.hold(11 * MIB).is_ok());
    }

    #[test]
    fn a_peer_that_comes_again_finds_its_account() {
        let accounts = Accounts::new(LIMITS, 1, false);
        let account = accounts.of(&peer(1, 1)).unwrap();
        let _held = account.hold(MIB).unwrap();
        let again = accounts.of(&peer(1, 1)).unwrap();
        assert_eq!(again.bytes.used(), MIB);
    }
}
