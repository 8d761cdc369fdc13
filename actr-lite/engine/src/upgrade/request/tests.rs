use actr_lite_wire::{credential::SigningKey, possession::Prover};
use proptest::{collection::vec, prelude::*};

use super::*;
use crate::upgrade::offer::{Offer, WrongAnswer};

const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
const NOW: u64 = 1_800_000_000;

fn id(serial: u64) -> ActrId {
    ActrId::new(1, serial, "acme+Echo".parse().unwrap())
}

fn signing_key() -> SigningKey {
    SigningKey::new(7, &[7; 32])
}

/// What node 1 offers to node 2.
fn offered(credential: &Credential, proof: Option<Proof>, keeps_open: bool) -> HeaderMap {
    let offer = Offer {
        id: &id(1),
        credential,
        proof,
        websocket_key: KEY,
        record_limit: RecordLimit::new(5000).unwrap(),
        keeps_open,
    };
    offer.headers().unwrap()
}

fn plain() -> HeaderMap {
    offered(&signing_key().issue(&id(1), NOW + 60, None), None, false)
}

fn read(headers: &HeaderMap) -> Result<UpgradeRequest, RefusedUpgrade> {
    UpgradeRequest::read(&Method::GET, headers)
}

fn genuine(request: &UpgradeRequest) -> Genuine {
    signing_key()
        .verifying_key()
        .authenticate(request.credential())
        .unwrap()
}

#[test]
fn what_is_offered_is_understood_and_agreed_on() {
    let credential = signing_key().issue(&id(1), NOW + 60, None);
    let request = read(&offered(&credential, None, true)).unwrap();
    let agreed = |limit| Agreed {
        extended: true,
        peer_limit: RecordLimit::new(limit).unwrap(),
    };
    assert_eq!((&request.peer, request.is_kept, request.key_id()), (&id(1), true, 7));
    assert_eq!(request.agreed, agreed(5000));
    let proven = request.verify(&genuine(&request), |_| true, NOW).unwrap();
    assert_eq!((proven.number, proven.expires_at), (None, NOW + 60));
    let answer = request.accept(RecordLimit::new(6000).unwrap()).unwrap();
    assert_eq!(answer.status(), StatusCode::SWITCHING_PROTOCOLS);
    let offer = Offer {
        id: &id(1),
        credential: &credential,
        proof: None,
        websocket_key: KEY,
        record_limit: RecordLimit::default(),
        keeps_open: false,
    };
    assert_eq!(offer.agreed(answer.headers()), Ok(agreed(6000)));
    let other = Offer {
        websocket_key: "another key",
        ..offer
    };
    assert_eq!(other.agreed(answer.headers()), Err(WrongAnswer::Accept));
}

#[test]
fn a_peer_without_the_extension_has_what_that_needs() {
    let mut headers = plain();
    headers.remove(SEC_WEBSOCKET_PROTOCOL);
    let request = read(&headers).unwrap();
    let agreed = Agreed {
        extended: false,
        peer_limit: RecordLimit::default(),
    };
    assert_eq!((request.agreed, request.is_kept), (agreed, false));
    let answer = request.accept(RecordLimit::default()).unwrap();
    assert!(!answer.headers().contains_key(SEC_WEBSOCKET_PROTOCOL));
}

#[test]
fn each_thing_that_is_missing_has_its_answer() {
    assert!(UpgradeRequest::read(&Method::POST, &plain()).is_err());
    let without = |name: &str| {
        let mut headers = plain();
        headers.remove(name).unwrap();
        read(&headers).unwrap_err()
    };
    for (name, status) in [
        ("connection", StatusCode::UPGRADE_REQUIRED),
        ("upgrade", StatusCode::UPGRADE_REQUIRED),
        ("sec-websocket-version", StatusCode::BAD_REQUEST),
        ("sec-websocket-key", StatusCode::BAD_REQUEST),
        (SOURCE_HEADER, StatusCode::UNAUTHORIZED),
        (CREDENTIAL_HEADER, StatusCode::UNAUTHORIZED),
    ] {
        assert_eq!(without(name).status, status, "{name}");
    }
    let mut headers = plain();
    headers.insert(RECORD_LIMIT_HEADER, HeaderValue::from_static("lots"));
    assert_eq!(read(&headers).unwrap_err().status, StatusCode::BAD_REQUEST);
}

#[test]
fn a_credential_with_a_key_needs_a_proof_for_this_upgrade() {
    let prover = Prover::new(&[3; 32]);
    let credential = signing_key().issue(&id(1), NOW + 60, Some(&prover.holder_key()));
    let verify = |proof| {
        let request = read(&offered(&credential, proof, false)).unwrap();
        let is_meant = |audience: &Audience| *audience == Audience::Node(id(2));
        request.verify(&genuine(&request), is_meant, NOW)
    };
    let prove = |audience, binding: &[u8]| prover.prove(&id(1), audience, binding);
    assert_eq!(verify(None).unwrap_err(), IdentityError::NoProof);
    let proof = prove(Audience::Node(id(2)), KEY.as_bytes());
    assert!(verify(Some(proof)).unwrap().number.is_some());
    let elsewhere = prove(Audience::Node(id(3)), KEY.as_bytes());
    assert!(matches!(verify(Some(elsewhere)), Err(IdentityError::Proof(_))));
    let earlier = prove(Audience::Node(id(2)), b"another key");
    assert!(matches!(verify(Some(earlier)), Err(IdentityError::Proof(_))));
}

proptest! {
    #[test]
    fn no_headers_are_too_strange_to_be_answered(
        changes in vec((0usize..9, vec(32u8..127, 0..40)), 0..6),
    ) {
        let names = [
            "connection", "upgrade", "sec-websocket-version", "sec-websocket-key", "sec-websocket-protocol",
            SOURCE_HEADER, CREDENTIAL_HEADER, RECORD_LIMIT_HEADER, PROOF_HEADER,
        ];
        let mut headers = plain();
        for (name, value) in changes {
            headers.insert(names[name], HeaderValue::from_bytes(&value).unwrap());
        }
        match read(&headers) {
            Ok(request) => {
                if let Ok(genuine) = signing_key().verifying_key().authenticate(request.credential()) {
                    let _ = request.verify(&genuine, |_| true, NOW);
                }
                prop_assert!(request.accept(RecordLimit::default()).is_ok());
            }
            Err(refused) => prop_assert!(refused.is_misbehaviour() && !refused.reason.is_empty()),
        }
    }
}
