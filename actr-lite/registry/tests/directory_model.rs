//! The directory does what a list that is searched from end to end would do.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{collections::HashSet, time::Duration};

use actr_lite_net::source::Source;
use actr_lite_registry::directory::{
    AccessList, CandidateSearch, Contract, ContractSearch, Directory, DirectoryError, Limits, Load, MAX_CANDIDATES,
    Registration,
};
use actr_lite_wire::{
    acl::{self, Acl, AclRule, Permission, RealmScope},
    identity::{ActrId, ActrType},
    proto::{ServiceAvailabilityState, ServiceSpec},
};
use proptest::{prelude::*, sample::Index};
use prost::Message as _;

const LEASE: Duration = Duration::from_millis(300);

fn actr_type(number: u8) -> ActrType {
    format!("acme:Type{number}:1.0.0").parse().unwrap()
}

fn address() -> Source {
    Source::of(std::net::Ipv4Addr::LOCALHOST.into())
}

#[derive(Debug, Clone)]
enum Step {
    Register(Kind),
    Heartbeat(Index, i32, f32),
    Lose(Index),
    Unregister(Index),
    Advance(u64),
    Expire,
    Candidates {
        asker: Index,
        number: u8,
        fingerprint: &'static str,
        count: usize,
    },
    Candidate {
        asker: Index,
        node: Index,
    },
    Contract {
        asker: Index,
        name: String,
        wanted: Option<&'static str>,
    },
}

#[derive(Debug, Clone)]
struct Kind {
    realm_id: u32,
    number: u8,
    fingerprint: Option<&'static str>,
    acl: Option<Acl>,
    is_dialable: bool,
    is_hidden: bool,
}

fn any_acl() -> impl Strategy<Value = Option<Acl>> {
    let realm = prop_oneof![
        Just(RealmScope::Own),
        Just(RealmScope::Any),
        (1..4u32).prop_map(RealmScope::Only)
    ];
    let permission = prop_oneof![3 => Just(Permission::Allow), 1 => Just(Permission::Deny)];
    let rule = (permission, 0..3u8, realm).prop_map(|(permission, number, realm)| AclRule {
        permission,
        types: vec![actr_type(number)],
        realm,
    });
    let rules = prop::collection::vec(rule, 0..5);
    prop::option::of(rules.prop_map(|rules| Acl { rules }))
}

fn any_fingerprint() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec!["one", "two"])
}

fn any_kind() -> impl Strategy<Value = Kind> {
    let fingerprint = prop::option::of(any_fingerprint());
    let flags = (prop::bool::weighted(0.8), prop::bool::weighted(0.2));
    (1..4u32, 0..3u8, fingerprint, any_acl(), flags).prop_map(
        |(realm_id, number, fingerprint, acl, (is_dialable, is_hidden))| Kind {
            realm_id,
            number,
            fingerprint,
            acl,
            is_dialable,
            is_hidden,
        },
    )
}

fn any_step() -> impl Strategy<Value = Step> {
    let node = any::<Index>;
    let names = vec!["acme:Type0:1.0.0", "acme+Type1", "Contract1"];
    let names = prop::sample::select(names).prop_map(str::to_owned);
    prop_oneof![
        6 => any_kind().prop_map(Step::Register),
        4 => (node(), 0..4i32, 0.0..1.0f32).prop_map(|(node, state, reserve)| Step::Heartbeat(node, state, reserve)),
        2 => node().prop_map(Step::Lose),
        1 => node().prop_map(Step::Unregister),
        2 => (0..100u64).prop_map(Step::Advance),
        1 => Just(Step::Expire),
        6 => (node(), 0..3u8, prop_oneof![Just(""), any_fingerprint()], 0..5usize)
            .prop_map(|(asker, number, fingerprint, count)| Step::Candidates { asker, number, fingerprint, count }),
        2 => (node(), node()).prop_map(|(asker, node)| Step::Candidate { asker, node }),
        3 => (node(), names, prop::option::of(any_fingerprint()))
            .prop_map(|(asker, name, wanted)| Step::Contract { asker, name, wanted }),
    ]
}

/// A node that there is, or was.
struct ModelNode {
    id: ActrId,
    kind: Kind,
    is_here: bool,
    lease_ends: Duration,
    load: Load,
    is_lost: bool,
    last_given: u64,
}

impl ModelNode {
    /// Whether others may be told of it.
    fn is_candidate(&self, number: u8, now: Duration) -> bool {
        self.is_here && !self.kind.is_hidden && self.lease_ends > now && self.kind.number == number
    }

    fn admits(&self, asker: &ActrId) -> bool {
        acl::admit(self.kind.acl.as_ref(), &self.id, asker).is_ok()
    }

    fn obstacles(&self) -> (bool, bool, bool) {
        (!self.kind.is_dialable, !self.load.can_serve(), self.is_lost)
    }
}

#[derive(Default)]
struct Model {
    nodes: Vec<ModelNode>,
    answers: u64,
}

impl Model {
    fn pick(&mut self, index: &Index) -> Option<&mut ModelNode> {
        let len = self.nodes.len();
        (len > 0).then(|| &mut self.nodes[index.index(len)])
    }

    /// Who may be told of by whom, and why nobody is if nobody is: because of a list, or because all are elsewhere.
    fn open_to<'a>(
        &'a self,
        asker: &ActrId,
        number: u8,
        now: Duration,
        among: impl Fn(&ModelNode) -> bool,
    ) -> Result<Vec<&'a ModelNode>, Refused> {
        let others = || self.nodes.iter().filter(|node| node.id != *asker && among(node));
        let live: Vec<_> = others().filter(|node| node.is_candidate(number, now)).collect();
        let is_own = |node: &&&ModelNode| node.id.realm_id() == asker.realm_id();
        let open: Vec<_> = live.iter().filter(|node| node.admits(asker)).copied().collect();
        if open.is_empty() && live.iter().any(|node| is_own(&node)) {
            return Err(Refused::ByList);
        }
        // Of those elsewhere nobody looks at the leases.
        let is_elsewhere = self.nodes.iter().any(|node| {
            node.is_here && !node.kind.is_hidden && node.kind.number == number && node.id.realm_id() != asker.realm_id()
        });
        if open.is_empty() && is_elsewhere {
            return Err(Refused::Elsewhere);
        }
        Ok(open)
    }
}

#[derive(Debug, PartialEq)]
enum Refused {
    ByList,
    Elsewhere,
    Unknown,
}

fn refused(error: DirectoryError) -> Refused {
    match error {
        DirectoryError::Acl(_) => Refused::ByList,
        DirectoryError::OtherRealm { .. } => Refused::Elsewhere,
        DirectoryError::UnknownService { .. } => Refused::Unknown,
        error => panic!("{error}"),
    }
}

fn registration(kind: &Kind) -> Registration {
    let contract = kind.fingerprint.map(|fingerprint| {
        Contract::from(&ServiceSpec {
            name: format!("Contract{}", kind.number),
            fingerprint: fingerprint.into(),
            ..ServiceSpec::default()
        })
    });
    Registration {
        actr_type: actr_type(kind.number),
        realm_id: kind.realm_id,
        contract,
        acl: kind.acl.as_ref().map(AccessList::from),
        ws_address: kind.is_dialable.then(|| "ws://127.0.0.1:9".into()),
        is_hidden: kind.is_hidden,
        secret: None,
        holder_key: None,
    }
}

proptest! {
    #[test]
    fn it_is_a_list_of_nodes_with_leases(steps in prop::collection::vec(any_step(), 1..80)) {
        let mut directory = Directory::new(100, LEASE, Limits::default());
        let mut model = Model::default();
        let mut now = Duration::ZERO;
        for step in steps {
            match step {
                Step::Register(kind) => {
                    let (id, _) = directory.register(registration(&kind), address(), [0; 32], now, 0).unwrap();
                    prop_assert_eq!((id.realm_id(), id.actr_type()), (kind.realm_id, &actr_type(kind.number)));
                    model.nodes.push(ModelNode {
                        id,
                        kind,
                        is_here: true,
                        lease_ends: now + LEASE,
                        load: Load::default(),
                        is_lost: false,
                        last_given: model.answers,
                    });
                }
                Step::Heartbeat(node, availability, reserve) => {
                    let Some(node) = model.pick(&node) else { continue };
                    let availability = ServiceAvailabilityState::try_from(availability).unwrap();
                    let load = Load::new(availability, reserve, 0.0);
                    prop_assert_eq!(directory.heartbeat(&node.id, load, now).is_ok(), node.is_here);
                    (node.load, node.lease_ends, node.is_lost) = (load, now + LEASE, false);
                }
                Step::Lose(node) => {
                    let Some(node) = model.pick(&node) else { continue };
                    directory.lost(&node.id);
                    node.is_lost = true;
                }
                Step::Unregister(node) => {
                    let Some(node) = model.pick(&node) else { continue };
                    prop_assert_eq!(directory.unregister(&node.id).is_ok(), node.is_here);
                    node.is_here = false;
                }
                Step::Advance(millis) => now += Duration::from_millis(millis),
                Step::Expire => {
                    let mut expired = HashSet::new();
                    loop {
                        let step = directory.expire(now);
                        if step.is_empty() {
                            break;
                        }
                        expired.extend(step.iter().map(|node| node.id().clone()));
                    }
                    let over = |node: &&mut ModelNode| node.is_here && node.lease_ends <= now;
                    let expected = model.nodes.iter_mut().filter(over).map(|node| {
                        node.is_here = false;
                        node.id.clone()
                    });
                    prop_assert_eq!(expired, expected.collect::<HashSet<_>>());
                }
                Step::Candidates { asker, number, fingerprint, count } => {
                    let Some(asker) = model.pick(&asker).map(|node| node.id.clone()) else { continue };
                    let mut search = CandidateSearch::new(asker.clone(), actr_type(number), fingerprint, count);
                    let found = search.step(&mut directory, now).unwrap();
                    let found: Result<Vec<ActrId>, _> = found
                        .map(|found| found.into_iter().map(|one| one.id).collect())
                        .map_err(refused);
                    let expected = model.open_to(&asker, number, now, |_| true).map(|mut open| {
                        open.sort_by_key(|node| {
                            let differs = !fingerprint.is_empty() && node.kind.fingerprint != Some(fingerprint);
                            (differs, node.obstacles(), node.load, node.last_given, node.id.serial_number())
                        });
                        let ids = open.into_iter().map(|node| node.id.clone());
                        ids.take(if count == 0 { MAX_CANDIDATES } else { count }).collect::<Vec<_>>()
                    });
                    prop_assert_eq!(&found, &expected);
                    if let Some(first) = found.ok().and_then(|found| found.into_iter().next()) {
                        model.answers += 1;
                        let answers = model.answers;
                        let first = model.nodes.iter_mut().find(|node| node.id == first);
                        first.unwrap().last_given = answers;
                    }
                }
                Step::Candidate { asker, node } => {
                    let Some(asker) = model.pick(&asker).map(|node| node.id.clone()) else { continue };
                    let Some(node) = model.pick(&node) else { continue };
                    let found = directory.candidate(&asker, &node.id, now);
                    let is_candidate = node.is_candidate(node.kind.number, now) && node.id != asker;
                    match found {
                        Ok(Some(found)) => {
                            prop_assert_eq!(found.id, node.id.clone());
                            prop_assert!(is_candidate && node.admits(&asker));
                        }
                        Ok(None) => prop_assert!(!is_candidate),
                        Err(_) => prop_assert!(is_candidate && !node.admits(&asker)),
                    }
                }
                Step::Contract { asker, name, wanted } => {
                    let Some(asker) = model.pick(&asker).map(|node| node.id.clone()) else { continue };
                    let found = ContractSearch::new(asker.clone(), &name, wanted).step(&directory, now).unwrap();
                    let found = found
                        .map(|encoded| ServiceSpec::decode(encoded).unwrap().fingerprint)
                        .map_err(refused);
                    let publishes = |node: &ModelNode| {
                        node.kind.fingerprint.is_some_and(|own| wanted.is_none_or(|wanted| own == wanted))
                    };
                    let best = |mut open: Vec<&ModelNode>| {
                        open.sort_by_key(|node| (node.obstacles(), node.id.serial_number()));
                        let best = open.first().and_then(|node| node.kind.fingerprint);
                        best.map(str::to_owned).ok_or(Refused::Unknown)
                    };
                    let number = if name.contains("Type0") { 0 } else { 1 };
                    let of_own_realm = |node: &&ModelNode| node.id.realm_id() == asker.realm_id();
                    if name == "Contract1" {
                        let here = model.nodes.iter().filter(|node| node.is_candidate(1, now) && publishes(node));
                        prop_assert_eq!(found, best(here.filter(of_own_realm).collect()));
                        continue;
                    }
                    // The asker's own contract is as good as any.
                    let nobody = ActrId::new(asker.realm_id(), 1, asker.actr_type().clone());
                    let expected = model.open_to(&nobody, number, now, publishes);
                    let has_own = model.nodes.iter().any(|node| {
                        node.is_here && !node.kind.is_hidden && node.kind.number == number && of_own_realm(&node)
                    });
                    let expected = match expected {
                        Err(Refused::Elsewhere) if has_own => Err(Refused::Unknown),
                        expected => expected.and_then(best),
                    };
                    prop_assert_eq!(found, expected);
                }
            }
            let here = || model.nodes.iter().filter(|node| node.is_here);
            prop_assert_eq!(directory.len(), here().count());
            prop_assert_eq!(directory.next_expiry(), here().map(|node| node.lease_ends).min());
            prop_assert!(model.nodes.iter().all(|node| directory.knows(&node.id) == node.is_here));
        }
        let ids: HashSet<&ActrId> = model.nodes.iter().map(|node| &node.id).collect();
        prop_assert_eq!(ids.len(), model.nodes.len());
        for node in &model.nodes {
            let _ = directory.unregister(&node.id);
        }
        prop_assert_eq!(directory.stored_bytes(), 0);
    }
}
