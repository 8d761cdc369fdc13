use std::{
    fmt::{Debug, Display},
    str::FromStr,
};

use actr_lite_manifest::{ContractFingerprint, FileFingerprint, SIGNALING_PATH, SignalingUrl, Timestamp, WebSocketUrl};
use actr_lite_wire::{
    credential::{Credential, MAX_ENCODED_LEN, source_id_from_header, source_id_to_header},
    identity::{ActrId, ActrType, MAX_STREAM_ID_LEN, StreamId},
    possession::{Audience, Proof},
    proto::{self, AIdCredential},
    record_limit::RecordLimit,
};
use prost::Message as _;

use crate::{briefly_explained, explained};

/// The bytes as everything that names a node or a thing: as text, as the value of a header, and as a message.
pub fn identity(bytes: &[u8]) {
    if let Ok(text) = std::str::from_utf8(bytes) {
        texts(text);
    }
    headers(bytes);
    if let Ok(message) = proto::ActrId::decode(bytes) {
        match ActrId::try_from(&message) {
            Ok(id) => known_id(&id),
            Err(error) => briefly_explained(&error, bytes),
        }
    }
    if let Ok(message) = AIdCredential::decode(bytes) {
        known_credential(&message.into());
    }
}

fn texts(text: &str) {
    if let Some(id) = parsed::<ActrId>(text) {
        known_id(&id);
        let written = id.to_string();
        let numbers = |text: &str| text.split_once('/').map(|(numbers, _)| numbers.to_owned());
        assert_eq!(numbers(&written), numbers(text), "a number has one spelling");
    }
    if let Some(actr_type) = parsed::<ActrType>(text) {
        assert_eq!(ActrType::try_from(&proto::ActrType::from(&actr_type)), Ok(actr_type));
    }
    if let Some(id) = parsed::<StreamId>(text) {
        assert_eq!(id.as_str(), text);
        assert!((1..=MAX_STREAM_ID_LEN).contains(&text.len()));
    }
    if let Some(limit) = parsed::<RecordLimit>(text) {
        assert!(RecordLimit::MIN <= limit && limit <= RecordLimit::MAX);
    }
    parsed::<Audience>(text);
    parsed::<ContractFingerprint>(text);
    parsed::<FileFingerprint>(text);
    parsed::<Timestamp>(text);
    if let Some(url) = parsed::<WebSocketUrl>(text) {
        assert!(!url.host().is_empty(), "a place without a host");
        let moved = url.with_port(4321);
        assert_eq!((moved.port(), moved.path()), (4321, url.path()));
        assert_eq!(moved.with_port(url.port()), url);
    }
    if let Some(url) = parsed::<SignalingUrl>(text) {
        assert!(url.path().ends_with(SIGNALING_PATH));
    }
}

/// If a text is valid, it reads the same after it is written again.
fn parsed<T: FromStr<Err: Display + Debug + PartialEq> + Display + Debug + PartialEq>(text: &str) -> Option<T> {
    match text.parse::<T>() {
        Ok(value) => {
            let written = value.to_string();
            assert_eq!(
                written.parse().as_ref(),
                Ok(&value),
                "{text:?} is written as {written:?}"
            );
            Some(value)
        }
        Err(error) => {
            explained(&error, text.as_bytes());
            None
        }
    }
}

fn headers(value: &[u8]) {
    match source_id_from_header(value) {
        Ok(id) => {
            assert!(value.len() <= MAX_ENCODED_LEN);
            known_id(&id);
        }
        Err(error) => briefly_explained(&error, value),
    }
    match Credential::from_header(value) {
        Ok(credential) => {
            assert!(value.len() <= MAX_ENCODED_LEN);
            known_credential(&credential);
        }
        Err(error) => briefly_explained(&error, value),
    }
    match Proof::from_header(value) {
        Ok(proof) => {
            assert!(value.len() <= MAX_ENCODED_LEN);
            let header = proof.to_header();
            let is_too_long = header.len() > MAX_ENCODED_LEN;
            assert!(is_too_long || Proof::from_header(header.as_bytes()) == Ok(proof));
        }
        Err(error) => briefly_explained(&error, value),
    }
}

/// An id survives each of its forms.
fn known_id(id: &ActrId) {
    assert_eq!(id.to_string().parse().as_ref(), Ok(id));
    assert_eq!(ActrId::try_from(&proto::ActrId::from(id)).as_ref(), Ok(id));
    assert_eq!(
        source_id_from_header(source_id_to_header(id).as_bytes()).as_ref(),
        Ok(id)
    );
}

fn known_credential(credential: &Credential) {
    let header = credential.to_header();
    if header.len() <= MAX_ENCODED_LEN {
        assert_eq!(Credential::from_header(header.as_bytes()).as_ref(), Ok(credential));
    } else {
        assert!(Credential::from_header(header.as_bytes()).is_err());
    }
    assert_eq!(Credential::from(AIdCredential::from(credential.clone())), *credential);
}
