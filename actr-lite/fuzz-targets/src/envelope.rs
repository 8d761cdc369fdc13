use actr_lite_wire::{
    envelope::{Envelope, EnvelopeError, METADATA_ENTRY_COST},
    proto::RpcEnvelope,
};
use bytes::Bytes;
use prost::Message as _;

use crate::explained;

/// How much longer an envelope can get by being written again, beside its metadata: required fields that were left out,
/// and the words for a response that holds nothing.
const LEFT_OUT: usize = 128;

/// What the metadata of a call may cost where it is bounded: two small entries.
const MAX_METADATA: usize = 2 * METADATA_ENTRY_COST + 10;

/// The bytes as the body of a call, an answer, or a message without an answer.
pub fn envelope(bytes: &[u8]) {
    let envelope = match Envelope::decode(Bytes::copy_from_slice(bytes)) {
        Ok(envelope) => envelope,
        Err(error) => {
            explained(&error, bytes);
            assert_eq!(error.is_fatal(), RpcEnvelope::decode(bytes).is_err());
            return;
        }
    };
    check_bounded(bytes, &envelope);
    match &envelope {
        Envelope::Request {
            request_id, timeout, ..
        } => {
            assert!(!request_id.is_empty(), "a call without an id");
            assert!(
                timeout.is_none_or(|wait| !wait.is_zero()),
                "a call that waits for no time"
            );
        }
        Envelope::Response { request_id, result, .. } => {
            assert!(!request_id.is_empty(), "an answer without an id");
            if let Err(reply) = result {
                explained(reply, bytes);
            }
        }
        Envelope::Tell { request_id, .. } => assert!(!request_id.is_empty(), "a message without an id"),
    }
    // A metadata entry of three bytes, which has neither key nor value, takes seven when it has both and they are empty.
    let again = envelope.clone().encode();
    assert!(
        again.len() <= 3 * bytes.len() + LEFT_OUT,
        "a short envelope makes a long one"
    );
    assert_eq!(Envelope::decode(again.into()), Ok(envelope));
}

/// That a bound of the metadata changes nothing below it, and above it takes nothing but the metadata.
fn check_bounded(bytes: &[u8], envelope: &Envelope) {
    let bounded = Envelope::decode_within(MAX_METADATA, Bytes::copy_from_slice(bytes));
    let entries = match envelope {
        Envelope::Request { metadata, .. } | Envelope::Tell { metadata, .. } => Some(metadata.len()),
        Envelope::Response { .. } => None,
    };
    match bounded {
        Ok(bounded) => assert_eq!(&bounded, envelope),
        Err(EnvelopeError::Metadata { cost, rest }) => {
            assert!(cost > MAX_METADATA);
            assert!(entries.is_none_or(|entries| entries * METADATA_ENTRY_COST == cost));
            assert_eq!(std::mem::discriminant(&*rest), std::mem::discriminant(envelope));
        }
        // Groups can be skipped, but nobody has sent one since this protocol exists.
        Err(error) => assert_eq!(error, EnvelopeError::Malformed),
    }
}
