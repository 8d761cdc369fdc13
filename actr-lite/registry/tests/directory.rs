//! What the directory promises, in virtual time.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::Duration;

use actr_lite_net::source::Source;
use actr_lite_registry::directory::{
    AccessList, Candidate, CandidateSearch, Contract, ContractSearch, Directory, DirectoryError, EXPIRED_PER_STEP,
    Grant, Limits, Load, MAX_CANDIDATES, NODE_BYTES, NODES_PER_STEP, RENEWAL_TOKEN_LEN, Registration,
};
use actr_lite_registry::ledger::Shares;
use actr_lite_wire::{
    acl::{Acl, AclRule, Permission, RealmScope},
    credential::SigningKey,
    error_code::ErrorCode,
    identity::{ActrId, ActrType},
    proto::{ServiceAvailabilityState, ServiceSpec},
};
use prost::Message as _;

const LEASE: Duration = Duration::from_millis(300);
const UNIX_NOW: u64 = 1_000;

fn directory() -> Directory {
    Directory::new(100, LEASE, Limits::default())
}

/// An address of a network for documentation.
fn from(last: u8) -> Source {
    Source::of(std::net::Ipv4Addr::new(192, 0, 2, last).into())
}

fn actr_type(number: u8) -> ActrType {
    format!("acme:Type{number}:1.0.0").parse().unwrap()
}

fn registration(realm_id: u32, actr_type: ActrType) -> Registration {
    Registration {
        actr_type,
        realm_id,
        contract: None,
        acl: None,
        ws_address: Some("ws://127.0.0.1:9".into()),
        is_hidden: false,
        secret: None,
        holder_key: None,
    }
}

fn spec(name: &str, fingerprint: &str) -> Option<Contract> {
    let spec = ServiceSpec {
        name: name.into(),
        fingerprint: fingerprint.into(),
        ..ServiceSpec::default()
    };
    Some(Contract::from(&spec))
}

fn register(directory: &mut Directory, registration: Registration) -> ActrId {
    granted(directory, registration).0
}

fn granted(directory: &mut Directory, registration: Registration) -> (ActrId, Grant) {
    try_register(directory, registration, 1).unwrap()
}

fn try_register(
    directory: &mut Directory,
    registration: Registration,
    address: u8,
) -> Result<(ActrId, Grant), DirectoryError> {
    directory.register(registration, from(address), [7; 32], Duration::ZERO, UNIX_NOW)
}

/// The end of a search that nobody interrupts.
fn find(
    directory: &mut Directory,
    asker: &ActrId,
    target: &ActrType,
    fingerprint: &str,
    count: usize,
    now: Duration,
) -> Result<Vec<Candidate>, DirectoryError> {
    let mut search = CandidateSearch::new(asker.clone(), target.clone(), fingerprint, count);
    loop {
        if let Some(found) = search.step(directory, now) {
            return found;
        }
    }
}

/// The fingerprint of the contract that is found under this name.
fn contract(directory: &Directory, asker: &ActrId, name: &str, wanted: Option<&str>) -> Result<String, DirectoryError> {
    let mut search = ContractSearch::new(asker.clone(), name, wanted);
    loop {
        if let Some(found) = search.step(directory, Duration::ZERO) {
            return found.map(|encoded| ServiceSpec::decode(encoded).unwrap().fingerprint);
        }
    }
}

/// The ids of those whose leases are over.
fn expire(directory: &mut Directory, now: Duration) -> Vec<ActrId> {
    directory.expire(now).iter().map(|node| node.id().clone()).collect()
}

fn ask(directory: &mut Directory, asker: &ActrId, number: u8, count: usize) -> Vec<ActrId> {
    let found = find(directory, asker, &actr_type(number), "", count, Duration::ZERO);
    found.unwrap().into_iter().map(|candidate| candidate.id).collect()
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
fn acl(permission: Permission, realm: RealmScope) -> Option<AccessList> {
    let types = vec![actr_type(0)];
    Some(AccessList::from(&Acl {
        rules: vec![AclRule {
            permission,
            types,
            realm,
        }],
    }))
}

/// A list that admits nobody.
fn shut() -> Option<AccessList> {
    Some(AccessList::from(&Acl::default()))
}

#[test]
fn who_is_named_to_whom_is_what_the_servers_lists_say() {
    use Permission::{Allow, Deny};
    use RealmScope::{Any, Only, Own};
    // The server's list, and whether askers of its own realm and of another are told of it.
    let cases = [
        (None, true, false),
        (shut(), false, false),
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
        server.contract = spec("Echo", "same");
        server.acl = acl.clone();
        let server = register(&mut directory, server);
        for (asker, expected) in [(&neighbour, here), (&stranger, elsewhere)] {
            let found = find(&mut directory, asker, &actr_type(1), "", 0, Duration::ZERO);
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
            let is_published = contract(&directory, asker, &name, None).is_ok();
            assert_eq!(is_published, expected, "{acl:?} {asker}");
        }
    }
}

#[test]
fn a_server_that_refuses_is_left_out_where_another_does_not() {
    let mut directory = directory();
    let asker = register(&mut directory, registration(1, actr_type(0)));
    let mut closed = registration(1, actr_type(1));
    closed.acl = shut();
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
    other.contract = spec("Echo", "other");
    register(&mut directory, other.clone());
    register(&mut directory, registration(1, actr_type(1)));
    other.contract = spec("Echo", "same");
    other.ws_address = None;
    let same = register(&mut directory, other);
    for count in [1, 3, 0] {
        let found = find(&mut directory, &asker, &actr_type(1), "same", count, Duration::ZERO).unwrap();
        assert_eq!(found[0].id, same, "also where it is harder to reach");
        assert_eq!(found[0].fingerprint.as_deref(), Some("same"));
        assert_eq!(found.len(), if count == 0 { 3 } else { count });
    }
}

#[test]
fn servers_with_other_contracts_crowd_nobody_out() {
    let mut directory = directory();
    let asker = register(&mut directory, registration(1, actr_type(0)));
    let mut fitting = registration(1, actr_type(1));
    fitting.contract = spec("Echo", "same");
    let fitting = register(&mut directory, fitting);
    let busy = Load::new(ServiceAvailabilityState::Unavailable, 0.0, 1.0);
    directory.heartbeat(&fitting, busy, Duration::ZERO).unwrap();
    directory.lost(&fitting);
    for _ in 0..2 * MAX_CANDIDATES {
        let mut other = registration(1, actr_type(1));
        other.contract = spec("Echo", "other");
        register(&mut directory, other);
    }
    let found = find(&mut directory, &asker, &actr_type(1), "same", 8, Duration::ZERO).unwrap();
    let fingerprints: Vec<_> = found.iter().map(|one| one.fingerprint.as_deref()).collect();
    assert_eq!(fingerprints[..2], [Some("same"), Some("other")]);
}

#[test]
fn whoever_registers_again_and_again_is_not_preferred() {
    let mut directory = directory();
    let asker = register(&mut directory, registration(1, actr_type(0)));
    let server = register(&mut directory, registration(1, actr_type(1)));
    for _ in 0..10 {
        let restless = register(&mut directory, registration(1, actr_type(1)));
        assert_eq!(ask(&mut directory, &asker, 1, 1), std::slice::from_ref(&server));
        directory.unregister(&restless).unwrap();
    }
    // One that stays gets its turn.
    let patient = register(&mut directory, registration(1, actr_type(1)));
    let firsts = [0; 4].map(|_| ask(&mut directory, &asker, 1, 1).remove(0));
    assert_eq!(firsts, [&server, &patient, &server, &patient].map(Clone::clone));
}

#[test]
fn no_server_and_a_server_in_another_realm_are_told_apart() {
    let mut directory = directory();
    let asker = register(&mut directory, registration(1, actr_type(0)));
    assert_eq!(ask(&mut directory, &asker, 1, 0), []);

    let stranger = register(&mut directory, registration(2, actr_type(1)));
    let error = find(&mut directory, &asker, &actr_type(1), "", 0, Duration::ZERO).unwrap_err();
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
    let mut server = registration(1, actr_type(1));
    server.contract = spec("Echo", "first");
    let first = register(&mut directory, server.clone());
    server.contract = spec("Echo", "later");
    register(&mut directory, server);
    let mut foreign = registration(2, actr_type(2));
    foreign.contract = spec("Foreign", "foreign");
    register(&mut directory, foreign);
    register(&mut directory, registration(1, actr_type(3)));

    let find = |directory: &Directory, name: &str, wanted| contract(directory, &asker, name, wanted);
    for name in ["acme:Type1:1.0.0", "acme+Type1", "Echo"] {
        assert_eq!(find(&directory, name, None).as_deref(), Ok("first"), "{name}");
        assert_eq!(find(&directory, name, Some("later")).as_deref(), Ok("later"), "{name}");
        let missing = find(&directory, name, Some("none")).unwrap_err();
        assert_eq!(missing.code(), ErrorCode::NotFound, "{name}");
    }
    directory.lost(&first);
    assert_eq!(
        find(&directory, "Echo", None).as_deref(),
        Ok("later"),
        "which is easier to reach"
    );
    directory.unregister(&first).unwrap();
    assert_eq!(find(&directory, "Echo", None).as_deref(), Ok("later"));

    for (name, code) in [
        ("acme:Type1:2.0.0", ErrorCode::NotFound),
        ("Nothing", ErrorCode::NotFound),
        ("Foreign", ErrorCode::NotFound),
        ("acme:Type2:1.0.0", ErrorCode::PermissionDenied),
        ("acme:Type3:1.0.0", ErrorCode::NotFound),
    ] {
        assert_eq!(find(&directory, name, None).unwrap_err().code(), code, "{name}");
    }
}

#[test]
fn nobody_is_told_of_a_hidden_node() {
    let mut directory = directory();
    let asker = register(&mut directory, registration(1, actr_type(0)));
    let mut hidden = registration(1, actr_type(1));
    hidden.contract = spec("Echo", "hidden");
    hidden.is_hidden = true;
    register(&mut directory, hidden);
    assert_eq!(ask(&mut directory, &asker, 1, 0), []);
    for name in ["acme:Type1:1.0.0", "Echo"] {
        let refused = contract(&directory, &asker, name, None).unwrap_err();
        assert_eq!(refused.code(), ErrorCode::NotFound, "{name}");
    }
}

/// What would take so long that others notice is done in steps, and what is asked for is found without looking at all nodes.
mod steps {
    use super::*;

    const CROWD: usize = 1000;

    fn crowd(change: impl Fn(&mut Registration)) -> (Directory, ActrId) {
        let mut directory = directory();
        let asker = register(&mut directory, registration(1, actr_type(0)));
        for _ in 0..CROWD {
            let mut one = registration(1, actr_type(1));
            change(&mut one);
            register(&mut directory, one);
        }
        (directory, asker)
    }

    #[test]
    fn only_those_that_are_named_are_looked_at() {
        let (mut directory, asker) = crowd(|_| ());
        let mut search = CandidateSearch::new(asker.clone(), actr_type(1), "", 0);
        let found = search.step(&mut directory, Duration::ZERO).unwrap().unwrap();
        assert_eq!((found.len(), search.examined()), (MAX_CANDIDATES, MAX_CANDIDATES));
        let mut search = CandidateSearch::new(asker, actr_type(2), "", 0);
        assert_eq!(search.step(&mut directory, Duration::ZERO), Some(Ok(Vec::new())));
        assert_eq!(search.examined(), 0, "there are none of another type among them");
    }

    #[test]
    fn a_search_among_those_that_refuse_goes_on_in_steps() {
        let (mut directory, asker) = crowd(|one| one.acl = shut());
        let mut search = CandidateSearch::new(asker, actr_type(1), "", 0);
        for step in 1.. {
            let found = search.step(&mut directory, Duration::ZERO);
            assert!(search.examined() <= step * NODES_PER_STEP);
            if let Some(found) = found {
                assert!(matches!(found, Err(DirectoryError::Acl(_))), "{found:?}");
                break;
            }
        }
        assert_eq!(search.examined(), CROWD);
    }

    #[test]
    fn what_changes_between_two_steps_is_named_once() {
        let (mut directory, asker) = crowd(|one| one.acl = shut());
        let open = register(&mut directory, registration(1, actr_type(1)));
        let mut search = CandidateSearch::new(asker, actr_type(1), "other", 0);
        let found = loop {
            if let Some(found) = search.step(&mut directory, Duration::ZERO) {
                break found.unwrap();
            }
            let busy = Load::new(ServiceAvailabilityState::Overloaded, 0.0, 1.0);
            directory.heartbeat(&open, busy, Duration::ZERO).unwrap();
        };
        assert_eq!(found.len(), 1);
    }

    #[test]
    fn the_contract_of_a_crowd_is_found_at_once() {
        let (directory, asker) = crowd(|one| one.contract = spec("Echo", "same"));
        for name in ["acme:Type1:1.0.0", "Echo"] {
            let mut search = ContractSearch::new(asker.clone(), name, None);
            assert!(search.step(&directory, Duration::ZERO).is_some(), "{name}");
        }
        let (directory, asker) = crowd(|one| {
            one.contract = spec("Echo", "same");
            one.acl = shut();
        });
        let mut search = ContractSearch::new(asker, "acme:Type1:1.0.0", None);
        let steps = std::iter::from_fn(|| search.step(&directory, Duration::ZERO).is_none().then_some(()));
        assert_eq!(steps.count(), CROWD / NODES_PER_STEP);
    }

    #[test]
    fn nodes_whose_leases_end_at_once_leave_in_steps() {
        let (mut directory, _) = crowd(|_| ());
        let mut left = CROWD + 1;
        while left > 0 {
            let step = expire(&mut directory, LEASE);
            assert_eq!(step.len(), left.min(EXPIRED_PER_STEP));
            left -= step.len();
        }
        assert_eq!(directory.stored_bytes(), 0);
    }
}

#[test]
fn a_full_directory_names_its_limit_and_recovers() {
    let limits = Limits {
        nodes: Shares::of_all(2),
        ..Limits::default()
    };
    let mut directory = Directory::new(0, LEASE, limits);
    let first = register(&mut directory, registration(1, actr_type(0)));
    register(&mut directory, registration(1, actr_type(0)));
    let error = try_register(&mut directory, registration(1, actr_type(0)), 1).unwrap_err();
    assert_eq!(error.code(), ErrorCode::Unavailable);
    assert!(error.to_string().contains("2 nodes"), "{error}");
    directory.unregister(&first).unwrap();
    register(&mut directory, registration(1, actr_type(0)));
}

#[test]
fn what_nodes_store_is_limited_and_given_back_when_they_leave() {
    let limits = Limits {
        stored_bytes: Shares::of_all(2 * (NODE_BYTES + 100)),
        ..Limits::default()
    };
    let mut directory = Directory::new(0, LEASE, limits);
    for _ in 0..10 {
        register(&mut directory, registration(1, actr_type(0)));
        let second = register(&mut directory, registration(1, actr_type(0)));
        let error = try_register(&mut directory, registration(1, actr_type(0)), 1).unwrap_err();
        assert!(error.to_string().contains("bytes"), "{error}");
        directory.unregister(&second).unwrap();
        assert_eq!(expire(&mut directory, LEASE).len(), 1);
        assert_eq!(directory.stored_bytes(), 0);
    }
}

#[test]
fn what_one_realm_or_address_takes_leaves_room_for_others() {
    let two = 2 * (NODE_BYTES + 100);
    let nodes = |per_address, per_realm| Shares {
        per_address,
        per_realm,
        ..Shares::of_all(5)
    };
    let bytes = |per_address, per_realm| Shares {
        per_address,
        per_realm,
        ..Shares::of_all(5 * two)
    };
    // The limits, words of the refusal, and who still has room: a realm and an address.
    for (nodes, stored_bytes, words, other) in [
        (
            nodes(5, 2),
            bytes(two * 5, two * 5),
            "holds 2 nodes of realm 1,",
            (2, 1),
        ),
        (
            nodes(2, 5),
            bytes(two * 5, two * 5),
            "holds 2 nodes from address 192.0.2.1,",
            (1, 2),
        ),
        (
            nodes(5, 5),
            bytes(two * 5, two),
            "of nodes of realm 1 would pass",
            (2, 1),
        ),
        (
            nodes(5, 5),
            bytes(two, two * 5),
            "of nodes from address 192.0.2.1 would pass",
            (1, 2),
        ),
    ] {
        let mut directory = Directory::new(0, LEASE, Limits { nodes, stored_bytes });
        for _ in 0..10 {
            let first = register(&mut directory, registration(1, actr_type(0)));
            register(&mut directory, registration(1, actr_type(0)));
            let error = try_register(&mut directory, registration(1, actr_type(0)), 1).unwrap_err();
            assert_eq!(error.code(), ErrorCode::Unavailable);
            assert!(error.to_string().contains(words), "{error}");
            let (realm_id, address) = other;
            try_register(&mut directory, registration(realm_id, actr_type(0)), address).unwrap();
            directory.unregister(&first).unwrap();
            assert_eq!(expire(&mut directory, LEASE).len(), 2);
        }
    }
}

#[test]
fn only_a_nodes_own_token_renews_it_and_keeps_it_alive() {
    let mut directory = directory();
    let (id, grant) = granted(&mut directory, registration(1, actr_type(0)));
    let half = LEASE / 2;
    let error = directory
        .renew(&id, &[9; RENEWAL_TOKEN_LEN], from(1), half, UNIX_NOW)
        .unwrap_err();
    assert_eq!(error, DirectoryError::RenewalToken(id.clone()));
    assert_eq!(directory.next_expiry(), Some(LEASE));
    directory
        .renew(&id, &grant.token.secret, from(1), half, UNIX_NOW)
        .unwrap();
    assert_eq!(expire(&mut directory, LEASE), []);
    assert_eq!(expire(&mut directory, half + LEASE), [id]);
}

#[test]
fn a_lost_answer_is_told_again_and_reuse_ends_the_identity() {
    let mut directory = directory();
    let (id, first) = granted(&mut directory, registration(1, actr_type(0)));
    let mut renew = |token: &Grant, address, unix_now| {
        let secret = &token.token.secret;
        directory.renew(&id, secret, from(address), Duration::ZERO, unix_now)
    };
    let second = renew(&first, 1, UNIX_NOW + 5).unwrap();
    assert_eq!(renew(&first, 1, UNIX_NOW + 9).as_ref(), Ok(&second), "the same answer");
    let third = renew(&second, 1, UNIX_NOW + 10).unwrap();
    assert_ne!(third, second);
    let reused = renew(&first, 1, UNIX_NOW + 10).unwrap_err();
    assert_eq!(reused, DirectoryError::RenewalReused(id.clone()));
    assert_eq!(reused.code(), ErrorCode::PermissionDenied);
    let over = renew(&third, 1, UNIX_NOW + 10).unwrap_err();
    assert_eq!(over, DirectoryError::UnknownNode(id.clone()));
    assert!(!directory.knows(&id) && directory.stored_bytes() == 0);
    assert_eq!(directory.next_expiry(), None);
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
