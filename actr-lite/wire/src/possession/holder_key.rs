use ring::signature::{ED25519, UnparsedPublicKey};
use thiserror::Error;

use super::{
    audience::Audience,
    proof::{Proof, signed_bytes},
};
use crate::identity::ActrId;

/// The public key that a credential names: only who has the private one may use the credential.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HolderKey([u8; 32]);

/// Bytes are not a public key.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("an Ed25519 public key has 32 bytes, this has {len}")]
pub struct HolderKeyError {
    len: usize,
}

/// Why a proof is not taken.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ProofError {
    /// It is for somebody else.
    #[error("the proof of possession is for {audience}, and was shown to another")]
    OtherAudience {
        /// Who is to take it.
        audience: Audience,
    },
    /// The holder's key did not sign this.
    #[error("the proof of possession is not by the credential's holder, or not for this request")]
    Signature,
    /// It was taken before, or is older than many others that were.
    #[error("the proof of possession was used before: make another one")]
    Used,
}

impl HolderKey {
    pub(super) fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// A key as it is sent.
    ///
    /// # Errors
    /// When `bytes` are not 32. That 32 bytes are no key shows when they verify no proof.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, HolderKeyError> {
        let key = bytes.try_into().map_err(|_| HolderKeyError { len: bytes.len() })?;
        Ok(Self(key))
    }

    /// The key as it is sent.
    pub fn to_bytes(&self) -> [u8; 32] {
        self.0
    }

    /// Checks that the holder made `proof` as `prover`, for somebody who `is_meant`, and for what has this `binding`.
    /// Returns the proof's number, by which it is known whether it [was used before](super::ReplayWindow).
    ///
    /// # Errors
    /// When it did not.
    #[must_use = "a proof counts once: look at its number"]
    pub fn verify(
        &self,
        proof: &Proof,
        prover: &ActrId,
        is_meant: impl FnOnce(&Audience) -> bool,
        binding: &[u8],
    ) -> Result<u64, ProofError> {
        let Proof {
            audience,
            number,
            signature,
        } = proof;
        UnparsedPublicKey::new(&ED25519, &self.0)
            .verify(&signed_bytes(prover, audience, binding, *number), signature)
            .map_err(|_| ProofError::Signature)?;
        if is_meant(audience) {
            Ok(*number)
        } else {
            Err(ProofError::OtherAudience {
                audience: audience.clone(),
            })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::possession::prover::Prover;

    const BINDING: &[u8] = b"dGhlIHNhbXBsZSBub25jZQ==";

    fn id(serial: u64) -> ActrId {
        ActrId::new(1, serial, "acme+Echo".parse().unwrap())
    }

    fn node(serial: u64) -> Audience {
        Audience::Node(id(serial))
    }

    /// What becomes of a proof by node 5 for `made_for` that is shown, as `shown_as`, to `shown_to`.
    fn shown(made_for: Audience, shown_as: u64, shown_to: &Audience, binding: &[u8]) -> Result<u64, ProofError> {
        let prover = Prover::new(&[3; 32]);
        let proof = prover.prove(&id(5), made_for, BINDING);
        let is_meant = |audience: &Audience| audience == shown_to;
        prover.holder_key().verify(&proof, &id(shown_as), is_meant, binding)
    }

    #[test]
    fn a_proof_is_taken_by_its_audience_alone() {
        for made_for in [node(6), Audience::Signaling, Audience::Renewal] {
            for shown_to in [node(6), node(7), Audience::Signaling, Audience::Renewal] {
                let expected = match made_for == shown_to {
                    true => Ok(1),
                    false => Err(ProofError::OtherAudience {
                        audience: made_for.clone(),
                    }),
                };
                assert_eq!(shown(made_for.clone(), 5, &shown_to, BINDING), expected, "{shown_to}");
            }
        }
    }

    #[test]
    fn a_proof_counts_for_its_prover_and_its_request_alone() {
        assert_eq!(shown(node(6), 8, &node(6), BINDING), Err(ProofError::Signature));
        assert_eq!(shown(node(6), 5, &node(6), b"another"), Err(ProofError::Signature));
        assert_eq!(shown(node(6), 5, &node(6), b""), Err(ProofError::Signature));
    }

    #[test]
    fn a_proof_by_another_key_or_with_anything_changed_is_none() {
        let prover = Prover::new(&[3; 32]);
        let proof = prover.prove(&id(5), node(6), BINDING);
        let verify = |key: &HolderKey, proof: &Proof| key.verify(proof, &id(5), |_| true, BINDING);
        assert_eq!(verify(&prover.holder_key(), &proof), Ok(1));
        let other = Prover::new(&[4; 32]).holder_key();
        assert_eq!(verify(&other, &proof), Err(ProofError::Signature));
        let changes: [fn(&mut Proof); 4] = [
            |proof| proof.number += 1,
            |proof| proof.audience = node(7),
            |proof| proof.signature[0] ^= 1,
            |proof| proof.signature = Box::default(),
        ];
        for change in changes {
            let mut proof = proof.clone();
            change(&mut proof);
            assert_eq!(verify(&prover.holder_key(), &proof), Err(ProofError::Signature));
        }
    }

    #[test]
    fn each_proof_has_a_number_of_its_own() {
        let prover = Prover::new(&[3; 32]);
        let numbers =
            [node(6), node(6), Audience::Signaling].map(|audience| prover.prove(&id(5), audience, b"").number);
        assert_eq!(numbers, [1, 2, 3]);
    }
}
