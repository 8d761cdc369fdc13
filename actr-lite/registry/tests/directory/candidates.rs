//! Who is named to whom, and in what order.

use std::time::Duration;

use actr_lite_registry::directory::{Load, MAX_CANDIDATES};
use actr_lite_wire::{
    acl::{Permission, RealmScope},
    error_code::ErrorCode,
    identity::ActrId,
    proto::ServiceAvailabilityState,
};

use crate::{acl, actr_type, ask, contract, directory, find, register, registration, shut, spec};

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
