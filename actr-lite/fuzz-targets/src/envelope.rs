use actr_lite_wire::{envelope::Envelope, proto::RpcEnvelope};
use bytes::Bytes;
use prost::Message as _;

use crate::explained;

/// How much longer an envelope can get by being written again, beside its metadata: required fields that were left out,
/// and the words for a response that holds nothing.
const LEFT_OUT: usize = 128;

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
