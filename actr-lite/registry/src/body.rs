//! The bodies of requests: read on the account of those who send them, and looked at before they are decoded.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::BodyExt as _;
use hyper::body::{Body as _, Incoming};
use thiserror::Error;
use tokio::time::{Instant, timeout_at};

use crate::{advice::advice, in_flight::InFlightBytes, ledger::LimitReached};

/// How long a request's body may take: the largest allowed one within it needs 100 KiB/s.
const READ_TIMEOUT: Duration = Duration::from_secs(10);

/// How much memory a body gets before more of it has come: what most have.
const FIRST_READ: usize = 4 * 1024;

/// The most fields of a registration, with those of its parts: a third more than one has whose lists are as long as they may
/// be. What is short on the wire takes many times as much time and memory when it is decoded.
const MAX_FIELDS: usize = 16 * 1024;

/// Why there is no body.
#[derive(Debug, Error)]
pub(crate) enum BodyError {
    #[error(
        "the body is larger than {max_bytes} bytes, the registry's limit; make it smaller, or raise {}",
        advice("max_body_bytes")
    )]
    TooLarge { max_bytes: usize },
    #[error("the body took longer than {} s", READ_TIMEOUT.as_secs())]
    TooSlow,
    #[error("the body can't be read: {0}")]
    Cut(hyper::Error),
    #[error("the body has more than {MAX_FIELDS} fields, which is the limit")]
    TooManyFields,
    #[error(transparent)]
    NoRoom(#[from] LimitReached),
}

/// Reads a body of at most `max_bytes`. The memory that it takes is `held` until that is dropped.
pub(crate) async fn read(mut body: Incoming, max_bytes: usize, held: &mut InFlightBytes) -> Result<Bytes, BodyError> {
    let announced = usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX);
    if announced > max_bytes {
        return Err(BodyError::TooLarge { max_bytes });
    }
    let until = Instant::now() + READ_TIMEOUT;
    // Copied: what comes in small pieces would otherwise hold the buffers that it was read into.
    let mut bytes: Vec<u8> = Vec::new();
    while let Some(frame) = timeout_at(until, body.frame()).await.map_err(|_| BodyError::TooSlow)? {
        let Ok(data) = frame.map_err(BodyError::Cut)?.into_data() else {
            continue;
        };
        let len = bytes.len() + data.len();
        if len > max_bytes {
            return Err(BodyError::TooLarge { max_bytes });
        }
        if len > bytes.capacity() {
            // What is only announced may never come.
            let capacity = len.max(2 * bytes.len()).max(FIRST_READ.min(announced)).min(max_bytes);
            held.grow_to(capacity)?;
            bytes.reserve_exact(capacity - bytes.len());
        }
        bytes.extend_from_slice(&data);
    }
    Ok(bytes.into())
}

/// A message, and which of its fields are messages.
struct Shape(&'static [(u64, &'static Shape)]);

const FLAT: &Shape = &Shape(&[]);
const ACL: &Shape = &Shape(&[(1, &Shape(&[(2, FLAT)]))]);
const SERVICE_SPEC: &Shape = &Shape(&[(4, FLAT)]);
const REGISTRATION: &Shape = &Shape(&[(1, FLAT), (2, FLAT), (3, SERVICE_SPEC), (4, ACL)]);

/// Checks that a registration can be decoded in little time and memory. Whether it can be decoded at all is not its business.
pub(crate) fn check_registration(body: &[u8]) -> Result<(), BodyError> {
    let mut left = MAX_FIELDS;
    count(body, REGISTRATION, &mut left).ok_or(BodyError::TooManyFields)
}

/// Counts the fields of a message down; `None` when there are too many. It ends at the first byte that is none of a message.
fn count(mut message: &[u8], shape: &Shape, left: &mut usize) -> Option<()> {
    while let Some(key) = take_varint(&mut message) {
        *left = left.checked_sub(1)?;
        let len = match key & 7 {
            0 => take_varint(&mut message).map(|_| 0),
            1 => Some(8),
            2 => take_varint(&mut message),
            // The beginning and the end of a group: what is between them is counted as well.
            3 | 4 => Some(0),
            5 => Some(4),
            _ => None,
        };
        let len = len.and_then(|len| usize::try_from(len).ok());
        let Some((field, rest)) = len.and_then(|len| message.split_at_checked(len)) else {
            break;
        };
        message = rest;
        if let Some((_, part)) = shape.0.iter().find(|(number, _)| *number == key >> 3) {
            count(field, part, left)?;
        }
    }
    Some(())
}

fn take_varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let (first, rest) = bytes.split_first()?;
        *bytes = rest;
        number |= u64::from(first & 0x7f) << shift;
        if first & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use actr_lite_wire::proto::{self, Acl, AclRule, RegisterRequest, ServiceSpec, service_spec::Protobuf};
    use proptest::prelude::*;
    use prost::Message as _;

    use super::*;

    fn request(rules: usize, protobufs: usize, tags: usize) -> Vec<u8> {
        let actr_type = || proto::ActrType {
            manufacturer: "a".into(),
            name: "b".into(),
            version: "1".into(),
        };
        let rule = AclRule {
            permission: 1,
            from_type: actr_type(),
            source_realm: Some(proto::acl_rule::SourceRealm::AnyRealm(true)),
        };
        let protobuf = Protobuf {
            package: "p".into(),
            content: "c".into(),
            fingerprint: "f".into(),
        };
        let request = RegisterRequest {
            actr_type: actr_type(),
            acl: Some(Acl {
                rules: vec![rule; rules],
            }),
            service_spec: Some(ServiceSpec {
                protobufs: vec![protobuf; protobufs],
                tags: vec!["t".into(); tags],
                ..ServiceSpec::default()
            }),
            ..RegisterRequest::default()
        };
        request.encode_to_vec()
    }

    #[test]
    fn full_lists_pass_and_many_small_fields_do_not() {
        assert!(check_registration(&request(1024, 1024, 1024)).is_ok());
        for body in [
            request(3000, 0, 0),
            request(0, 5000, 0),
            request(0, 0, 20_000),
            // Fields and groups that nobody knows.
            [0xf8, 0x06, 0x00].repeat(20_000),
            [0xfb, 0x06, 0xfc, 0x06].repeat(10_000),
        ] {
            assert!(check_registration(&body).is_err(), "{} bytes", body.len());
        }
    }

    proptest! {
        #[test]
        fn no_body_makes_it_panic(body in proptest::collection::vec(any::<u8>(), 0..200)) {
            prop_assert!(check_registration(&body).is_ok(), "it has few fields");
        }
    }
}
