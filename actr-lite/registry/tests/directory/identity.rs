//! An identity is its holder's, for as long as it is renewed.

use std::time::Duration;

use actr_lite_registry::directory::{DirectoryError, Grant, Purpose, RENEWAL_TOKEN_LEN, ShownToken};
use actr_lite_wire::{credential::SigningKey, error_code::ErrorCode, identity::ActrId};

use crate::{LEASE, UNIX_NOW, actr_type, directory, expire, from, granted, register, registration};

/// A token of a node without a key.
fn shown(secret: &[u8], address: u8) -> ShownToken<'_> {
    ShownToken {
        secret,
        purpose: Purpose::Renewal,
        from: from(address),
        by_holder: false,
    }
}

#[test]
fn only_a_nodes_own_token_renews_it_and_keeps_it_alive() {
    let mut directory = directory();
    let (id, grant) = granted(&mut directory, registration(1, actr_type(0)));
    let half = LEASE / 2;
    let error = directory
        .renew(&id, shown(&[9; RENEWAL_TOKEN_LEN], 1), half, UNIX_NOW)
        .unwrap_err();
    assert_eq!(error, DirectoryError::RenewalToken(id.clone()));
    assert_eq!(directory.next_expiry(), Some(LEASE));
    directory
        .renew(&id, shown(&grant.token.secret, 1), half, UNIX_NOW)
        .unwrap();
    assert_eq!(expire(&mut directory, LEASE), []);
    assert_eq!(expire(&mut directory, half + LEASE), [id]);
}

#[test]
fn a_lost_answer_is_told_again_and_reuse_ends_the_identity() {
    let mut directory = directory();
    let (id, first) = granted(&mut directory, registration(1, actr_type(0)));
    let mut renew = |token: &Grant, address, unix_now| {
        let token = shown(&token.token.secret, address);
        directory.renew(&id, token, Duration::ZERO, unix_now)
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
