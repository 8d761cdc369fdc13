use std::sync::{Mutex, PoisonError};

use actr_lite_registry_client::{RegistryLink, RegistryLinkError};
use actr_lite_wire::{
    credential::{Credential, CredentialError, VerifyingKey},
    identity::ActrId,
    possession::{Audience, HolderKey, MalformedProof, PROOF_HEADER, Proof, ProofError, ProofMemory},
};
use thiserror::Error;
use tokio::sync::Semaphore;

/// How many unknown signing keys are asked for at once: anybody can name one, and the registry's answers are for the
/// node's own questions first.
const MAX_KEY_LOOKUPS: usize = 8;

/// Who peers are that dial this node, as their credentials and the registry's keys tell.
pub(crate) struct PeerIdentities {
    link: RegistryLink,
    key_lookups: Semaphore,
    /// Which proofs of possession were taken.
    proofs: Mutex<ProofMemory>,
}

/// What an upgrade shows of who asks for it.
pub(crate) struct Shown<'a> {
    /// Who that is to be.
    pub(crate) peer: &'a ActrId,
    pub(crate) credential: &'a Credential,
    /// The value of [`PROOF_HEADER`], if there is one.
    pub(crate) proof: Option<&'a [u8]>,
    /// The `Sec-WebSocket-Key`, to which the proof belongs.
    pub(crate) websocket_key: &'a [u8],
}

/// Why an upgrade is not by whom it says.
#[derive(Debug, Error)]
pub(crate) enum IdentityError {
    #[error("signing key {key_id} cannot be checked: {cause}")]
    SigningKey { key_id: u32, cause: RegistryLinkError },
    #[error(transparent)]
    Credential(#[from] CredentialError),
    #[error("the credential names its holder's key: prove in the header {PROOF_HEADER} that you have the private one")]
    NoProof,
    #[error(transparent)]
    MalformedProof(#[from] MalformedProof),
    #[error(transparent)]
    Proof(#[from] ProofError),
}

impl PeerIdentities {
    pub(crate) fn new(link: RegistryLink) -> Self {
        Self {
            link,
            key_lookups: Semaphore::new(MAX_KEY_LOOKUPS),
            proofs: Mutex::default(),
        }
    }

    /// Checks that the peer itself asks for the upgrade, and that it asks this node. The same upgrade does so once.
    pub(crate) async fn verify(&self, shown: Shown<'_>) -> Result<(), IdentityError> {
        let key = self.signing_key(shown.credential.key_id()).await?;
        let verified = key.verify(shown.credential, shown.peer, self.link.unix_seconds())?;
        match &verified.holder {
            Some(holder) => self.take_proof(&shown, holder, verified.expires_at),
            None => Ok(()),
        }
    }

    async fn signing_key(&self, key_id: u32) -> Result<VerifyingKey, IdentityError> {
        if let Some(key) = self.link.known_signing_key(key_id) {
            return Ok(key);
        }
        let unknown = |cause| IdentityError::SigningKey { key_id, cause };
        // It is never closed.
        let _permit = self.key_lookups.acquire().await;
        self.link.signing_key(key_id).await.map_err(unknown)
    }

    fn take_proof(&self, shown: &Shown<'_>, holder: &HolderKey, expires_at: u64) -> Result<(), IdentityError> {
        let proof = Proof::from_header(shown.proof.ok_or(IdentityError::NoProof)?)?;
        let is_meant = |audience: &Audience| matches!(audience, Audience::Node(id) if self.link.has_been(id));
        let number = holder.verify(&proof, shown.peer, is_meant, shown.websocket_key)?;
        let now = self.link.unix_seconds();
        let mut proofs = self.proofs.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(proofs.take(shown.peer, number, expires_at, now)?)
    }
}
