use std::sync::Arc;

use actr_lite_net::ClearText;
use actr_lite_tls::ClientTls;
use actr_lite_wire::{
    identity::ActrType,
    possession::{Audience, Proof, Prover},
    proto::{Acl, ServiceSpec},
};
use hyper::header::HeaderValue;
use thiserror::Error;

use super::{identity::Identity, load::LoadSource, registry_url::RegistryUrl};

/// Which registry a node belongs to, and what it says about itself there.
#[derive(Debug, Clone)]
pub struct LinkConfig {
    /// Where the registry is.
    pub url: RegistryUrl,
    /// Whom it trusts, if the registry speaks TLS.
    pub tls: ClientTls,
    /// Where the registry may be, if it does not.
    pub clear_text: ClearText,
    /// What the node is.
    pub actr_type: ActrType,
    /// Where it wants to live.
    pub realm_id: u32,
    /// The contract it serves, if any.
    pub service_spec: Option<ServiceSpec>,
    /// Who may call it; without one, everybody.
    pub acl: Option<Acl>,
    /// Where its data lane listens; without one it can't be dialled, and asks to be a candidate for nobody.
    pub ws_address: Option<String>,
    /// The key that the node's credentials are to name, so that only the node can use them. Without one they are of use to
    /// everybody who has seen them, as those of official nodes.
    pub prover: Option<Arc<Prover>>,
    /// What the realm asks of those who register.
    pub realm_secret: Option<RealmSecret>,
    /// What its heartbeats tell of how well it can serve.
    pub load: LoadSource,
}

impl LinkConfig {
    /// A node that dials others and is not dialled: no contract, no address, no secret, no load. It has a key of its own,
    /// trusts whom the system trusts, and talks without TLS
    /// to this machine alone.
    pub fn new(url: RegistryUrl, actr_type: ActrType, realm_id: u32) -> Self {
        Self {
            url,
            tls: ClientTls::default(),
            clear_text: ClearText::ThisMachine,
            actr_type,
            realm_id,
            service_spec: None,
            acl: None,
            ws_address: None,
            prover: Some(Arc::new(Prover::new(&rand::random()))),
            realm_secret: None,
            load: LoadSource::default(),
        }
    }

    /// What proves to `audience` that the node itself shows the credential of `identity`; `binding` is what the proof
    /// [belongs to](Prover::prove). `None` if the registry has given a credential that names no key.
    pub(super) fn prove(&self, identity: &Identity, audience: Audience, binding: &[u8]) -> Option<Proof> {
        let prover = self.prover.as_ref()?;
        let is_holder = identity.credential.claimed_holder() == Some(prover.holder_key());
        is_holder.then(|| prover.prove(&identity.actor_id, audience, binding))
    }
}

/// The secret of a realm, sent in the header `x-actrix-realm-secret`. Its `Debug` does not show it.
#[derive(Debug, Clone)]
pub struct RealmSecret(HeaderValue);

impl RealmSecret {
    /// A secret.
    ///
    /// # Errors
    /// When it is empty, or has characters that a header can't carry.
    pub fn new(secret: &str) -> Result<Self, RealmSecretError> {
        let is_printable = secret.bytes().all(|byte| matches!(byte, b' '..=b'~'));
        // Spaces at an end are not part of a header's value (RFC 9110 §5.5).
        if secret.is_empty() || secret != secret.trim() || !is_printable {
            return Err(RealmSecretError);
        }
        let mut value = HeaderValue::from_str(secret).map_err(|_| RealmSecretError)?;
        value.set_sensitive(true);
        Ok(Self(value))
    }

    /// The secret itself, for whoever checks those of others.
    pub fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }

    pub(super) fn header(&self) -> HeaderValue {
        self.0.clone()
    }
}

/// A realm's secret that can't be sent.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("this is no secret that an HTTP header can carry: use printable ASCII in one line, without spaces at its ends")]
pub struct RealmSecretError;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_not_printed() {
        let secret = RealmSecret::new("hunter2").unwrap();
        assert!(!format!("{secret:?}").contains("hunter2"));
        for text in ["a\nb", "", " a", "a ", "\u{fc}", "a\tb"] {
            assert!(RealmSecret::new(text).is_err(), "{text:?}");
        }
    }
}
