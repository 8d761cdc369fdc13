use std::{
    fmt,
    sync::atomic::{AtomicU64, Ordering},
};

use ring::signature::{Ed25519KeyPair, KeyPair as _};

use super::{
    audience::Audience,
    holder_key::HolderKey,
    proof::{Proof, signed_bytes},
};
use crate::identity::ActrId;

/// A node's private key, and the count of the proofs that it has made. Its `Debug` output shows neither.
///
/// There is one for the life of a process: two with the same key would use each other's numbers.
pub struct Prover {
    key: Ed25519KeyPair,
    proofs: AtomicU64,
}

impl Prover {
    /// A key from 32 secret random bytes.
    #[expect(clippy::expect_used, reason = "only another length is refused")]
    pub fn new(secret: &[u8; 32]) -> Self {
        Self {
            key: Ed25519KeyPair::from_seed_unchecked(secret).expect("32 bytes"),
            proofs: AtomicU64::new(0),
        }
    }

    /// The part that everybody may know.
    pub fn holder_key(&self) -> HolderKey {
        let mut public_key = [0; 32];
        public_key.copy_from_slice(self.key.public_key().as_ref());
        HolderKey::new(public_key)
    }

    /// Proves to `audience`, once, that this key's holder is `prover`. `binding` is what the proof belongs to and what
    /// whoever takes it knows: the `Sec-WebSocket-Key` of an upgrade, the token of a renewal.
    pub fn prove(&self, prover: &ActrId, audience: Audience, binding: &[u8]) -> Proof {
        let number = self.proofs.fetch_add(1, Ordering::Relaxed) + 1;
        let signature = self.key.sign(&signed_bytes(prover, &audience, binding, number));
        Proof {
            audience,
            number,
            signature: signature.as_ref().into(),
        }
    }
}

impl fmt::Debug for Prover {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Prover").finish_non_exhaustive()
    }
}
