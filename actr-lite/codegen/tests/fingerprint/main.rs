//! The fingerprint is the one that proto-sign computes, which other actr implementations use.

#![allow(clippy::unwrap_used)]

mod corpus;
mod random_proto;

use actr_lite_codegen::{CanonicalFormError, Error, proto_fingerprint};
use proptest::prelude::*;
use random_proto::random_proto;

fn assert_same(name: &str, source: &str) {
    let expected = proto_sign::generate_fingerprint(source)
        .unwrap_or_else(|error| panic!("{name}: proto-sign: {error:#}\n{source}"));
    let actual = proto_fingerprint(source).unwrap_or_else(|error| panic!("{name}: {error}\n{source}"));
    assert_eq!(actual, expected, "{name}\n{source}");
}

#[test]
fn every_construct_has_the_fingerprint_of_proto_sign() {
    for (name, source) in corpus::SAME {
        assert_same(name, source);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]
    #[test]
    fn random_protos_have_the_fingerprint_of_proto_sign(choices in prop::collection::vec(any::<u8>(), 0..600)) {
        assert_same("random", &random_proto(&choices));
    }
}

#[test]
fn what_has_no_settled_fingerprint_is_refused() {
    for (name, source) in corpus::REFUSED {
        let error = proto_fingerprint(source).expect_err(name);
        assert!(matches!(error, Error::Fingerprint { .. }), "{name}: {error}");
    }
    let Err(Error::Fingerprint { reason, .. }) = proto_fingerprint(corpus::REFUSED[0].1) else {
        panic!("a group has a fingerprint");
    };
    assert_eq!(reason, CanonicalFormError::Group { field: "part".into() });
    insta::assert_snapshot!(reason, @"`part` is a group, which has no settled canonical form: make it a message");
}

#[test]
fn what_proto_sign_cannot_read_still_has_a_fingerprint() {
    for (name, source) in corpus::READ_HERE_ALONE {
        assert!(proto_sign::generate_fingerprint(source).is_err(), "{name}");
        proto_fingerprint(source).unwrap_or_else(|error| panic!("{name}: {error}"));
    }
}
