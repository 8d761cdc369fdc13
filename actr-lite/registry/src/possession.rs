use actr_lite_wire::{
    identity::ActrId,
    possession::{Audience, HolderKey, MalformedProof, PROOF_HEADER, Proof, ProofError},
};
use hyper::header::HeaderValue;
use thiserror::Error;

use crate::{directory::DirectoryError, shared::Shared};

/// Why a request is not its node's, though it shows what the node was given.
#[derive(Debug, Error)]
pub enum PossessionError {
    /// It does not prove that it is.
    #[error("this node's registration names a key: prove in the header {PROOF_HEADER} that you have the private one")]
    Missing,
    /// The header is not a proof.
    #[error(transparent)]
    Malformed(#[from] MalformedProof),
    /// The proof is another's, or for something else, or used.
    #[error(transparent)]
    Proof(#[from] ProofError),
    /// The node is gone.
    #[error(transparent)]
    Gone(#[from] DirectoryError),
}

/// What a request shows of its node's key.
#[derive(Clone, Copy)]
pub(crate) struct Shown<'a> {
    /// The value of [`PROOF_HEADER`], if the request has it.
    pub(crate) proof: Option<&'a HeaderValue>,
    /// What the proof belongs to.
    pub(crate) binding: &'a [u8],
}

impl Shown<'_> {
    /// Checks that the holder of `key` made this request as `id`, and makes it once.
    pub(crate) fn check(
        self,
        shared: &Shared,
        id: &ActrId,
        key: &HolderKey,
        audience: &Audience,
    ) -> Result<(), PossessionError> {
        let proof = self.proof.ok_or(PossessionError::Missing)?;
        let proof = Proof::from_header(proof.as_bytes())?;
        let number = key.verify(&proof, id, |meant| meant == audience, self.binding)?;
        match shared.state().directory.take_proof(id, number)? {
            true => Ok(()),
            false => Err(ProofError::Used.into()),
        }
    }
}
