//! What proves that a credential is shown by its own holder.
//!
//! A credential goes to everybody whom its holder dials. So that none of them can use it elsewhere, it names a public key,
//! and whoever shows it proves that it has the private one: it signs who it is, who is to take the proof, what the proof
//! belongs to, and a number that no other proof has. An official node (actr 0.4.21) has no such key, and its credential
//! names none.
//!
//! - [`Prover`]: the private key, and the count of its proofs
//! - [`HolderKey`]: the public key, which checks a proof
//! - [`Proof`], [`Audience`]: what is shown beside the credential, and to whom
//! - [`ReplayWindow`]: which proofs of one prover were taken already
//! - [`ProofMemory`]: the same of all provers that dial a node

mod audience;
mod holder_key;
mod proof;
mod proof_memory;
mod prover;
mod replay_window;

pub use audience::{Audience, ParseAudienceError};
pub use holder_key::{HolderKey, HolderKeyError, ProofError};
pub use proof::{MalformedProof, Proof};
pub use proof_memory::ProofMemory;
pub use prover::Prover;
pub use replay_window::ReplayWindow;

/// The header that has a [`Proof`], of an upgrade or of a renewal.
pub const PROOF_HEADER: &str = "x-actr-lite-proof";
