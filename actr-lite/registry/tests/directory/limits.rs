//! What nodes may take together, and get back.

use actr_lite_registry::directory::{Directory, Limits, NODE_BYTES};
use actr_lite_registry::ledger::Shares;
use actr_lite_wire::error_code::ErrorCode;

use crate::{LEASE, actr_type, expire, register, registration, try_register};

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
