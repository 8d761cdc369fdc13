use bytes::Bytes;

use data_encoding::HEXLOWER;
use prost::Message as _;

use super::*;
use crate::{identity::ActrId, possession::Prover, proto};

const NOW: u64 = 1_000;

fn key() -> SigningKey {
    SigningKey::new(7, &[3; 32])
}

fn id(serial: u64) -> ActrId {
    ActrId::new(1, serial, "acme+Echo".parse().unwrap())
}

#[test]
fn a_credential_proves_its_actor_until_it_expires() {
    let credential = key().issue(&id(5), NOW + 1, None);
    let verifying = key().verifying_key();
    assert_eq!(
        verifying.verify(&credential, &id(5), NOW),
        Ok(Verified {
            expires_at: NOW + 1,
            holder: None
        })
    );
    assert_eq!(
        verifying.verify(&credential, &id(5), NOW + 1),
        Err(CredentialError::Expired {
            expires_at: NOW + 1,
            now: NOW + 1
        })
    );
}

#[test]
fn the_holders_key_is_part_of_what_is_signed() {
    let holder = Prover::new(&[5; 32]).holder_key();
    let credential = key().issue(&id(5), NOW + 1, Some(&holder));
    assert_eq!(credential.claimed_holder().as_ref(), Some(&holder));
    let verified = key().verifying_key().verify(&credential, &id(5), NOW).unwrap();
    assert_eq!(verified.holder, Some(holder));
}

#[test]
fn a_holders_key_that_is_none_is_not_passed_over() {
    let claims = proto::IdentityClaims {
        realm_id: 1,
        actor_id: id(5).to_string(),
        expires_at: NOW + 1,
        holder_key: Some(Bytes::from_static(&[7; 31])),
    };
    let credential = key().sign(Bytes::from(claims.encode_to_vec()));
    let result = key().verifying_key().verify(&credential, &id(5), NOW);
    assert_eq!(result, Err(CredentialError::Claims));
}

#[test]
fn a_credential_proves_nobody_else() {
    let credential = key().issue(&id(5), NOW + 1, None);
    let error = key().verifying_key().verify(&credential, &id(6), NOW).unwrap_err();
    assert!(matches!(error, CredentialError::OtherActor { .. }), "{error}");
}

#[test]
fn a_changed_bit_in_claims_or_signature_is_noticed() {
    let Credential(message) = key().issue(&id(5), NOW + 1, None);
    for bit in 0..8 {
        for field in [0, 1] {
            let mut forged = message.clone();
            let target = if field == 0 {
                &mut forged.claims
            } else {
                &mut forged.signature
            };
            let mut bytes = target.to_vec();
            bytes[bit] ^= 1 << bit;
            *target = bytes.into();
            let result = key().verifying_key().verify(&Credential(forged), &id(5), NOW);
            assert_eq!(result, Err(CredentialError::Signature));
        }
    }
}

#[test]
fn a_key_of_another_registry_proves_nothing() {
    let credential = SigningKey::new(7, &[4; 32]).issue(&id(5), NOW + 1, None);
    assert_eq!(
        key().verifying_key().verify(&credential, &id(5), NOW),
        Err(CredentialError::Signature)
    );
    let credential = SigningKey::new(8, &[3; 32]).issue(&id(5), NOW + 1, None);
    assert!(matches!(
        key().verifying_key().verify(&credential, &id(5), NOW),
        Err(CredentialError::OtherKey { expected: 7, actual: 8 })
    ));
}

#[test]
fn the_public_key_is_that_of_rfc_8032() {
    // Section 7.1, test 1.
    let digits = |text: &str| HEXLOWER.decode(text.as_bytes()).unwrap();
    let secret = digits("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60");
    let public = digits("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a");
    let key = SigningKey::new(7, &secret.try_into().unwrap()).verifying_key();
    assert_eq!(key.to_bytes().as_slice(), public);
}

#[test]
fn bytes_that_are_no_key_verify_nothing() {
    assert_eq!(
        VerifyingKey::from_bytes(7, &[2; 31]),
        Err(CredentialError::Key { key_id: 7 })
    );
    // No point of the curve has this as its y coordinate.
    let no_point = VerifyingKey::from_bytes(7, &[2; 32]).unwrap();
    let credential = key().issue(&id(5), NOW + 1, None);
    assert_eq!(
        no_point.verify(&credential, &id(5), NOW),
        Err(CredentialError::Signature)
    );
}

#[test]
fn the_headers_give_back_what_was_written() {
    let credential = key().issue(&id(5), NOW, None);
    assert_eq!(
        Credential::from_header(credential.to_header().as_bytes()),
        Ok(credential)
    );
    assert_eq!(source_id_from_header(source_id_to_header(&id(5)).as_bytes()), Ok(id(5)));
    for header in ["", "zz", "0", "ff"] {
        assert!(source_id_from_header(header.as_bytes()).is_err());
    }
    assert!(Credential::from_header(b"!").is_err());
    assert!(Credential::from_header("A".repeat(MAX_ENCODED_LEN + 4).as_bytes()).is_err());
}
