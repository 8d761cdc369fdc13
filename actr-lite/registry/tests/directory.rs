//! The directory does what a list that is searched from end to end would do, in virtual time.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{collections::HashSet, time::Duration};

use actr_lite_registry::directory::{
    Directory, DirectoryError, Limits, Load, MAX_CANDIDATES, RENEWAL_TOKEN_LEN, Registration, RenewalToken,
};
use actr_lite_wire::{
    acl::{Acl, AclRule, Permission, RealmScope},
    credential::SigningKey,
    error_code::ErrorCode,
    identity::{ActrId, ActrType},
    proto::{ServiceAvailabilityState, ServiceSpec},
};
use proptest::prelude::*;

const LEASE: Duration = Duration::from_millis(300);
const UNIX_NOW: u64 = 1_000;

fn directory() -> Directory {
    Directory::new(100, LEASE, Limits::default())
}

fn token(byte: u8) -> RenewalToken {
    RenewalToken {
        secret: [byte; RENEWAL_TOKEN_LEN],
        expires_at: UNIX_NOW + 1,
    }
}

fn actr_type(number: u8) -> ActrType {
    format!("acme:Type{number}:1.0.0").parse().unwrap()
}

fn registration(realm_id: u32, actr_type: ActrType) -> Registration {
    Registration {
        actr_type,
        realm_id,
        service_spec: None,
        acl: None,
        ws_address: Some("ws://127.0.0.1:9".into()),
        is_hidden: false,
        holder_key: None,
    }
}

fn spec(name: &str, fingerprint: &str) -> ServiceSpec {
    ServiceSpec {
        name: name.into(),
        fingerprint: fingerprint.into(),
        ..ServiceSpec::default()
    }
}

fn register(directory: &mut Directory, registration: Registration) -> ActrId {
    directory.register(registration, token(1), Duration::ZERO).unwrap()
}

fn ask(directory: &mut Directory, asker: &ActrId, number: u8, count: usize) -> Vec<ActrId> {
    let found = directory
        .route_candidates(asker, &actr_type(number), "", count, Duration::ZERO)
        .unwrap();
    found.into_iter().map(|candidate| candidate.id).collect()
}

#[test]
fn clients_are_spread_evenly_over_servers_of_the_same_load() {
    let mut directory = directory();
    let asker = register(&mut directory, registration(1, actr_type(0)));
    let servers: Vec<ActrId> = (0..3)
        .map(|_| register(&mut directory, registration(1, actr_type(1))))
        .collect();
    let firsts: Vec<ActrId> = (0..9)
        .map(|round| ask(&mut directory, &asker, 1, 1 + round % 3).remove(0))
        .collect();
    for server in &servers {
        assert_eq!(firsts.iter().filter(|first| *first == server).count(), 3);
    }
}

#[test]
fn candidates_are_ordered_by_load() {
    use ServiceAvailabilityState::{Degraded, Full, Unavailable};
    let mut directory = directory();
    let asker = register(&mut directory, registration(1, actr_type(0)));
    let servers: Vec<ActrId> = [
        Load::new(Degraded, 1.0, 0.0),
        Load::new(Full, 0.1, 0.0),
        Load::new(Unavailable, 1.0, 0.0),
        Load::new(Full, 1.0, 0.0),
    ]
    .map(|load| {
        let id = register(&mut directory, registration(1, actr_type(1)));
        directory.heartbeat(&id, load, Duration::ZERO).unwrap();
        id
    })
    .into();
    let expected = [3, 1, 0, 2].map(|index: usize| servers[index].clone());
    for _ in 0..3 {
        assert_eq!(ask(&mut directory, &asker, 1, 0), expected);
    }
}

/// A list with one rule, for askers of type 0.
fn acl(permission: Permission, realm: RealmScope) -> Option<Acl> {
    let types = vec![actr_type(0)];
    Some(Acl {
        rules: vec![AclRule {
            permission,
            types,
            realm,
        }],
    })
}

#[test]
fn who_is_named_to_whom_is_what_the_servers_lists_say() {
    use Permission::{Allow, Deny};
    use RealmScope::{Any, Only, Own};
    // The server's list, and whether askers of its own realm and of another are told of it.
    let cases = [
        (None, true, false),
        (Some(Acl::default()), false, false),
        (acl(Allow, Own), true, false),
        (acl(Allow, Any), true, true),
        (acl(Allow, Only(2)), false, true),
        (acl(Allow, Only(3)), false, false),
        (acl(Deny, Any), false, false),
    ];
    for (acl, here, elsewhere) in cases {
        let mut directory = directory();
        let neighbour = register(&mut directory, registration(1, actr_type(0)));
        let stranger = register(&mut directory, registration(2, actr_type(0)));
        let mut server = registration(1, actr_type(1));
        server.service_spec = Some(spec("Echo", "same"));
        server.acl = acl.clone();
        let server = register(&mut directory, server);
        for (asker, expected) in [(&neighbour, here), (&stranger, elsewhere)] {
            let found = directory.route_candidates(asker, &actr_type(1), "", 0, Duration::ZERO);
            let named = found
                .as_ref()
                .is_ok_and(|found| found.iter().any(|one| one.id == server));
            assert_eq!(named, expected, "{acl:?} {asker}: {found:?}");
            assert_eq!(
                found.is_err(),
                !expected,
                "a refusal is no empty answer: {acl:?} {asker}"
            );
            let name = actr_type(1).to_string();
            let spec = directory.service_spec(asker, &name, Duration::ZERO).is_ok();
            assert_eq!(spec, expected, "{acl:?} {asker}");
        }
    }
}

#[test]
fn a_server_that_refuses_is_left_out_where_another_does_not() {
    let mut directory = directory();
    let asker = register(&mut directory, registration(1, actr_type(0)));
    let mut closed = registration(1, actr_type(1));
    closed.acl = Some(Acl::default());
    register(&mut directory, closed);
    let open = register(&mut directory, registration(1, actr_type(1)));
    for _ in 0..3 {
        assert_eq!(ask(&mut directory, &asker, 1, 0), std::slice::from_ref(&open));
    }
}

#[test]
fn a_server_that_lost_its_connection_comes_last() {
    let mut directory = directory();
    let asker = register(&mut directory, registration(1, actr_type(0)));
    let servers: Vec<ActrId> = (0..3)
        .map(|_| register(&mut directory, registration(1, actr_type(1))))
        .collect();
    let busy = Load::new(ServiceAvailabilityState::Overloaded, 0.0, 1.0);
    directory.heartbeat(&servers[2], busy, Duration::ZERO).unwrap();
    directory.lost(&servers[1]);
    for _ in 0..3 {
        let found = ask(&mut directory, &asker, 1, 0);
        assert_eq!(found, [0, 2, 1].map(|index: usize| servers[index].clone()));
    }
    directory.sign_of_life(&servers[1], Duration::ZERO).unwrap();
    assert_eq!(ask(&mut directory, &asker, 1, 0).last(), Some(&servers[2]));
    directory.lost(&asker);
    directory.lost(&ActrId::new(1, 12345, actr_type(1)));
}

#[test]
fn a_server_with_the_askers_contract_comes_first() {
    let mut directory = directory();
    let asker = register(&mut directory, registration(1, actr_type(0)));
    let mut other = registration(1, actr_type(1));
    other.service_spec = Some(spec("Echo", "other"));
    register(&mut directory, other.clone());
    register(&mut directory, registration(1, actr_type(1)));
    other.service_spec = Some(spec("Echo", "same"));
    let same = register(&mut directory, other);
    for _ in 0..4 {
        let found = directory
            .route_candidates(&asker, &actr_type(1), "same", 1, Duration::ZERO)
            .unwrap();
        assert_eq!(found[0].id, same);
    }
}

#[test]
fn no_server_and_a_server_in_another_realm_are_told_apart() {
    let mut directory = directory();
    let asker = register(&mut directory, registration(1, actr_type(0)));
    assert_eq!(ask(&mut directory, &asker, 1, 0), []);

    let stranger = register(&mut directory, registration(2, actr_type(1)));
    let error = directory
        .route_candidates(&asker, &actr_type(1), "", 0, Duration::ZERO)
        .unwrap_err();
    assert_eq!(error.code(), ErrorCode::PermissionDenied);
    assert!(error.to_string().contains("other realms only"), "{error}");

    directory.unregister(&stranger).unwrap();
    assert_eq!(ask(&mut directory, &asker, 1, 0), []);
}

#[test]
fn an_answer_has_no_more_candidates_than_the_limit() {
    let mut directory = directory();
    let asker = register(&mut directory, registration(1, actr_type(0)));
    for _ in 0..2 * MAX_CANDIDATES {
        register(&mut directory, registration(1, actr_type(1)));
    }
    assert_eq!(ask(&mut directory, &asker, 1, 0).len(), MAX_CANDIDATES);
    assert_eq!(ask(&mut directory, &asker, 1, usize::MAX).len(), MAX_CANDIDATES);
    assert_eq!(ask(&mut directory, &asker, 1, 3).len(), 3);
}

#[test]
fn every_node_of_a_type_is_found_by_its_id() {
    let mut directory = directory();
    let asker = register(&mut directory, registration(1, actr_type(0)));
    let nodes: Vec<_> = (0..2 * MAX_CANDIDATES)
        .map(|_| register(&mut directory, registration(1, actr_type(1))))
        .collect();
    for id in &nodes {
        let found = directory.candidate(&asker, id, Duration::ZERO).unwrap().unwrap();
        assert_eq!(found.id, *id);
        assert!(found.ws_address.is_some());
    }
    let mut hidden = registration(1, actr_type(1));
    hidden.is_hidden = true;
    let hidden = register(&mut directory, hidden);
    for id in [&hidden, &asker, &ActrId::new(1, 7, actr_type(1))] {
        assert_eq!(directory.candidate(&asker, id, Duration::ZERO).unwrap(), None, "{id}");
    }
    let elsewhere = register(&mut directory, registration(2, actr_type(2)));
    directory.candidate(&asker, &elsewhere, Duration::ZERO).unwrap_err();
}

#[test]
fn a_contract_is_found_by_its_type_or_its_name() {
    let mut directory = directory();
    let asker = register(&mut directory, registration(1, actr_type(0)));
    let mut older = registration(1, actr_type(1));
    older.service_spec = Some(spec("Echo", "older"));
    register(&mut directory, older.clone());
    let mut newer = older;
    newer.service_spec = Some(spec("Echo", "newer"));
    let newer = register(&mut directory, newer);
    let mut foreign = registration(2, actr_type(2));
    foreign.service_spec = Some(spec("Foreign", "foreign"));
    register(&mut directory, foreign);

    let find = |directory: &Directory, name: &str| {
        directory
            .service_spec(&asker, name, Duration::ZERO)
            .map(|spec| spec.fingerprint.clone())
    };
    for name in ["acme:Type1:1.0.0", "acme+Type1", "Echo"] {
        assert_eq!(find(&directory, name).as_deref(), Ok("newer"), "{name}");
    }
    directory.unregister(&newer).unwrap();
    assert_eq!(find(&directory, "Echo").as_deref(), Ok("older"));

    for (name, code) in [
        ("acme:Type1:2.0.0", ErrorCode::NotFound),
        ("Nothing", ErrorCode::NotFound),
        ("Foreign", ErrorCode::NotFound),
        ("acme:Type2:1.0.0", ErrorCode::PermissionDenied),
    ] {
        assert_eq!(find(&directory, name).unwrap_err().code(), code, "{name}");
    }
}

#[test]
fn a_full_directory_names_its_limit_and_recovers() {
    let limits = Limits {
        nodes: 2,
        ..Limits::default()
    };
    let mut directory = Directory::new(0, LEASE, limits);
    let first = register(&mut directory, registration(1, actr_type(0)));
    register(&mut directory, registration(1, actr_type(0)));
    let error = directory
        .register(registration(1, actr_type(0)), token(1), Duration::ZERO)
        .unwrap_err();
    assert_eq!(error.code(), ErrorCode::Unavailable);
    assert!(error.to_string().contains("2 nodes"), "{error}");
    directory.unregister(&first).unwrap();
    register(&mut directory, registration(1, actr_type(0)));
}

#[test]
fn what_nodes_store_is_limited_and_given_back_when_they_leave() {
    let address = registration(1, actr_type(0)).ws_address.unwrap();
    let limits = Limits {
        stored_bytes: 2 * address.len() + 1,
        ..Limits::default()
    };
    let mut directory = Directory::new(0, LEASE, limits);
    for _ in 0..10 {
        register(&mut directory, registration(1, actr_type(0)));
        let second = register(&mut directory, registration(1, actr_type(0)));
        let error = directory
            .register(registration(1, actr_type(0)), token(1), Duration::ZERO)
            .unwrap_err();
        assert!(error.to_string().contains("bytes"), "{error}");
        directory.unregister(&second).unwrap();
        assert_eq!(directory.expire(LEASE).len(), 1);
    }
}

#[test]
fn what_one_realm_takes_leaves_room_for_others() {
    let address = registration(1, actr_type(0)).ws_address.unwrap();
    for (limits, words) in [
        (
            Limits {
                nodes_per_realm: 2,
                ..Limits::default()
            },
            "realm 1 is full: it holds 2 nodes",
        ),
        (
            Limits {
                stored_bytes_per_realm: 2 * address.len() + 1,
                ..Limits::default()
            },
            "realm 1 is full: contracts, access lists and addresses",
        ),
    ] {
        let mut directory = Directory::new(0, LEASE, limits);
        for _ in 0..10 {
            let first = register(&mut directory, registration(1, actr_type(0)));
            register(&mut directory, registration(1, actr_type(0)));
            let error = directory
                .register(registration(1, actr_type(0)), token(1), Duration::ZERO)
                .unwrap_err();
            assert_eq!(error.code(), ErrorCode::Unavailable);
            assert!(error.to_string().starts_with(words), "{error}");
            register(&mut directory, registration(2, actr_type(0)));
            directory.unregister(&first).unwrap();
            assert_eq!(directory.expire(LEASE).len(), 2);
        }
    }
}

#[test]
fn only_a_nodes_own_token_renews_it_and_keeps_it_alive() {
    let mut directory = directory();
    let id = register(&mut directory, registration(1, actr_type(0)));
    let half = LEASE / 2;
    let error = directory
        .renew(&id, &[9; RENEWAL_TOKEN_LEN], token(2), half, UNIX_NOW)
        .unwrap_err();
    assert_eq!(error, DirectoryError::RenewalToken(id.clone()));
    assert_eq!(directory.next_expiry(), Some(LEASE));
    directory
        .renew(&id, &token(1).secret, token(2), half, UNIX_NOW)
        .unwrap();
    assert_eq!(directory.expire(LEASE), []);
    assert_eq!(directory.expire(half + LEASE), [id]);
}

#[test]
fn an_id_with_another_type_or_realm_is_unknown() {
    let mut directory = directory();
    let id = register(&mut directory, registration(1, actr_type(0)));
    for other in [
        ActrId::new(2, id.serial_number(), actr_type(0)),
        ActrId::new(1, id.serial_number(), actr_type(1)),
        ActrId::new(1, id.serial_number() + 1, actr_type(0)),
    ] {
        assert!(!directory.knows(&other));
        assert!(directory.unregister(&other).is_err());
    }
    assert!(directory.knows(&id));
}

#[test]
fn a_signing_key_is_found_by_its_number() {
    let mut directory = directory();
    let key = SigningKey::new(7, &[1; 32]).verifying_key();
    directory.set_signing_keys([key.clone()]);
    assert_eq!(directory.signing_key(7), Some(&key));
    assert_eq!(directory.signing_key(8), None);
}

#[derive(Debug, Clone)]
enum Step {
    Register {
        realm: u32,
        number: u8,
        dialable: bool,
        hidden: bool,
    },
    Heartbeat {
        node: prop::sample::Index,
        availability: i32,
        reserve: f32,
    },
    Unregister(prop::sample::Index),
    Renew {
        node: prop::sample::Index,
        presented: u8,
        fresh: u8,
    },
    Advance(u64),
    Expire,
    Candidates {
        node: prop::sample::Index,
        number: u8,
        count: usize,
    },
}

fn step() -> impl Strategy<Value = Step> {
    let node = any::<prop::sample::Index>;
    prop_oneof![
        4 => (1..3u32, 0..3u8, any::<bool>(), any::<bool>())
            .prop_map(|(realm, number, dialable, hidden)| Step::Register { realm, number, dialable, hidden }),
        4 => (node(), 0..4i32, 0.0..1.0f32)
            .prop_map(|(node, availability, reserve)| Step::Heartbeat { node, availability, reserve }),
        1 => node().prop_map(Step::Unregister),
        1 => (node(), 0..3u8, 0..3u8).prop_map(|(node, presented, fresh)| Step::Renew { node, presented, fresh }),
        3 => (0..200u64).prop_map(Step::Advance),
        2 => Just(Step::Expire),
        5 => (node(), 0..3u8, 0..5usize).prop_map(|(node, number, count)| Step::Candidates { node, number, count }),
    ]
}

/// The naive model: every node there ever was, in a list.
struct ModelNode {
    id: ActrId,
    here: bool,
    dialable: bool,
    hidden: bool,
    load: Load,
    lease_ends: Duration,
    tokens: [u8; 2],
}

fn pick<'a>(nodes: &'a mut [ModelNode], index: &prop::sample::Index) -> Option<&'a mut ModelNode> {
    if nodes.is_empty() {
        return None;
    }
    let index = index.index(nodes.len());
    nodes.get_mut(index)
}

proptest! {
    #[test]
    fn it_is_a_list_of_nodes_with_leases(steps in prop::collection::vec(step(), 1..60)) {
        let mut directory = directory();
        let mut nodes: Vec<ModelNode> = Vec::new();
        let mut now = Duration::ZERO;
        for step in steps {
            match step {
                Step::Register { realm, number, dialable, hidden } => {
                    let mut registration = registration(realm, actr_type(number));
                    registration.is_hidden = hidden;
                    if !dialable {
                        registration.ws_address = None;
                    }
                    let id = directory.register(registration, token(0), now).unwrap();
                    prop_assert_eq!((id.realm_id(), id.actr_type()), (realm, &actr_type(number)));
                    nodes.push(ModelNode {
                        id, here: true, dialable, hidden, load: Load::default(), lease_ends: now + LEASE, tokens: [0, 0],
                    });
                }
                Step::Heartbeat { node, availability, reserve } => {
                    let Some(node) = pick(&mut nodes, &node) else { continue };
                    let load = Load::new(availability.try_into().unwrap(), reserve, 0.0);
                    prop_assert_eq!(directory.heartbeat(&node.id, load, now).is_ok(), node.here);
                    (node.load, node.lease_ends) = (load, now + LEASE);
                }
                Step::Unregister(node) => {
                    let Some(node) = pick(&mut nodes, &node) else { continue };
                    prop_assert_eq!(directory.unregister(&node.id).is_ok(), node.here);
                    node.here = false;
                }
                Step::Renew { node, presented, fresh } => {
                    let Some(node) = pick(&mut nodes, &node) else { continue };
                    let secret = token(presented).secret;
                    let renewed = directory.renew(&node.id, &secret, token(fresh), now, UNIX_NOW);
                    prop_assert_eq!(renewed.is_ok(), node.here && node.tokens.contains(&presented));
                    if renewed.is_ok() {
                        node.tokens = [presented, fresh];
                        node.lease_ends = now + LEASE;
                    }
                }
                Step::Advance(millis) => now += Duration::from_millis(millis),
                Step::Expire => {
                    let expired: HashSet<ActrId> = directory.expire(now).into_iter().collect();
                    let expected: HashSet<ActrId> = nodes
                        .iter_mut()
                        .filter(|node| node.here && node.lease_ends <= now)
                        .map(|node| {
                            node.here = false;
                            node.id.clone()
                        })
                        .collect();
                    prop_assert_eq!(expired, expected);
                }
                Step::Candidates { node, number, count } => {
                    let Some(node) = pick(&mut nodes, &node) else { continue };
                    let asker = node.id.clone();
                    let target = actr_type(number);
                    let live = || nodes
                        .iter()
                        .filter(|node| node.here && node.lease_ends > now && *node.id.actr_type() == target);
                    let here = || live().filter(|node| node.id.realm_id() == asker.realm_id());
                    let found = directory.route_candidates(&asker, &target, "", count, now);
                    if here().count() == 0 && live().count() > 0 {
                        let other_realm = matches!(found, Err(DirectoryError::OtherRealm { .. }));
                        prop_assert!(other_realm, "{:?}", found);
                        continue;
                    }
                    let mut expected: Vec<&ModelNode> = here()
                        .filter(|node| !node.hidden && node.id != asker)
                        .collect();
                    expected.sort_by_key(|node| (!node.dialable, !node.load.can_serve(), node.load));
                    let limit = if count == 0 { MAX_CANDIDATES } else { count };
                    let found: Vec<ActrId> = found.unwrap().into_iter().map(|candidate| candidate.id).collect();
                    prop_assert_eq!(found.iter().collect::<HashSet<_>>().len(), found.len());
                    let loads = found.iter().map(|id| {
                        expected.iter().find(|node| node.id == *id).map(|node| (node.dialable, node.load))
                    });
                    let expected_loads = expected.iter().take(limit).map(|node| Some((node.dialable, node.load)));
                    prop_assert!(loads.eq(expected_loads), "{:?}", found);
                }
            }
            let here = || nodes.iter().filter(|node| node.here);
            prop_assert_eq!(directory.len(), here().count());
            prop_assert_eq!(directory.next_expiry(), here().map(|node| node.lease_ends).min());
            prop_assert!(nodes.iter().all(|node| directory.knows(&node.id) == node.here));
        }
        let ids: HashSet<&ActrId> = nodes.iter().map(|node| &node.id).collect();
        prop_assert_eq!(ids.len(), nodes.len());
    }
}
