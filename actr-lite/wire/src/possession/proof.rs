use data_encoding::BASE64;
use prost::Message as _;
use thiserror::Error;

use super::audience::Audience;
use crate::{identity::ActrId, proto};

/// What is signed begins with this, so that no other signature by the same key, whatever it is for, is a proof.
const LABEL: &[u8] = b"actr-lite proof of possession 1\0";

/// The most bytes that a proof may have in a header: several times what one for the longest id has.
const MAX_ENCODED_LEN: usize = 1024;

/// What is shown beside a credential that names its holder's key; not verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proof {
    pub(super) audience: Audience,
    pub(super) number: u64,
    pub(super) signature: Box<[u8]>,
}

/// A header is not a proof.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("the proof of possession can't be decoded")]
pub struct MalformedProof;

impl Proof {
    /// The value of [`PROOF_HEADER`](super::PROOF_HEADER): standard base64 of the encoded message.
    pub fn to_header(&self) -> String {
        let message = proto::PossessionProof {
            audience: self.audience.to_string(),
            number: self.number,
            signature: self.signature.to_vec().into(),
        };
        BASE64.encode(&message.encode_to_vec())
    }

    /// Reads what [`Self::to_header`] writes.
    ///
    /// # Errors
    /// When it is not base64 of the message, or names no audience.
    pub fn from_header(value: &[u8]) -> Result<Self, MalformedProof> {
        if value.len() > MAX_ENCODED_LEN {
            return Err(MalformedProof);
        }
        let bytes = BASE64.decode(value).map_err(|_| MalformedProof)?;
        let message = proto::PossessionProof::decode(bytes.as_slice()).map_err(|_| MalformedProof)?;
        Ok(Self {
            audience: message.audience.parse().map_err(|_| MalformedProof)?,
            number: message.number,
            signature: message.signature.as_ref().into(),
        })
    }
}

/// What a proof signs. Each part has its length before it, so that no two statements have the same bytes.
pub(super) fn signed_bytes(prover: &ActrId, audience: &Audience, binding: &[u8], number: u64) -> Vec<u8> {
    let (prover, audience) = (prover.to_string(), audience.to_string());
    let mut bytes = LABEL.to_vec();
    for part in [prover.as_bytes(), audience.as_bytes(), binding] {
        bytes.extend((part.len() as u64).to_be_bytes());
        bytes.extend(part);
    }
    bytes.extend(number.to_be_bytes());
    bytes
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;

    #[test]
    fn what_is_signed_begins_with_the_label_of_this_protocol() {
        let id: ActrId = "5@1/acme:Echo:1.0.0".parse().unwrap();
        let signed = signed_bytes(&id, &Audience::Signaling, b"key", 1);
        assert!(signed.starts_with(b"actr-lite proof of possession 1\0"));
    }

    #[test]
    fn a_header_gives_back_what_was_written() {
        let id: ActrId = "5@1/acme:Echo:1.0.0".parse().unwrap();
        for audience in [Audience::Node(id), Audience::Signaling, Audience::Renewal] {
            let proof = Proof {
                audience,
                number: u64::MAX,
                signature: [7; 64].into(),
            };
            assert_eq!(Proof::from_header(proof.to_header().as_bytes()), Ok(proof));
        }
    }

    proptest! {
        #[test]
        fn no_header_makes_the_reader_panic(value in vec(any::<u8>(), 0..200)) {
            let _ = Proof::from_header(&value);
            let _ = Proof::from_header(BASE64.encode(&value).as_bytes());
        }
    }

    #[test]
    fn a_header_that_is_too_long_or_names_nobody_is_refused() {
        assert_eq!(
            Proof::from_header("A".repeat(MAX_ENCODED_LEN + 4).as_bytes()),
            Err(MalformedProof)
        );
        let nobody = proto::PossessionProof {
            audience: "everybody".into(),
            ..Default::default()
        };
        let header = BASE64.encode(&nobody.encode_to_vec());
        assert_eq!(Proof::from_header(header.as_bytes()), Err(MalformedProof));
    }
}
