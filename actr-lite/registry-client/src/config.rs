use std::sync::Arc;

use actr_lite_net::ClearText;
use actr_lite_tls::ClientTls;
use actr_lite_wire::{
    identity::ActrType,
    possession::{Audience, Proof, Prover},
    proto::{
        Acl, Realm, RegisterAuthMode, RegisterRequest, ReissueCredentialRequest, RenewCredentialRequest, ServiceSpec,
    },
    realm_secret::RealmSecret,
};
use bytes::Bytes;
use prost::Message as _;

use crate::{identity::Identity, load::LoadSource, registry_url::RegistryUrl, renewal_token::RenewalToken};

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
    pub(crate) fn prove(&self, identity: &Identity, audience: Audience, binding: &[u8]) -> Option<Proof> {
        let prover = self.prover.as_ref()?;
        let is_holder = identity.credential.claimed_holder() == Some(prover.holder_key());
        is_holder.then(|| prover.prove(&identity.actor_id, audience, binding))
    }

    /// What asks AIS for a new identity.
    pub fn register_request(&self) -> RegisterRequest {
        RegisterRequest {
            actr_type: (&self.actr_type).into(),
            realm: Realm {
                realm_id: self.realm_id,
            },
            service_spec: self.service_spec.clone(),
            acl: self.acl.clone(),
            service: None,
            ws_address: self.ws_address.clone(),
            auth_mode: Some(RegisterAuthMode::Linked.into()),
            // This runtime has no other lane on which it could be reached.
            hidden: self.ws_address.is_none().then_some(true),
            holder_key: self.prover.as_ref().map(|prover| {
                let key = prover.holder_key().to_bytes();
                Bytes::copy_from_slice(&key)
            }),
        }
    }
}

/// What asks AIS for a new credential for `identity`, whose renewal was refused.
pub fn reissue_request(config: &LinkConfig, identity: &Identity, token: &RenewalToken) -> ReissueCredentialRequest {
    ReissueCredentialRequest {
        actr_id: (&identity.actor_id).into(),
        registration: config.register_request().encode_to_vec().into(),
        renewal_proof: Some(token.0.clone()),
    }
}

/// What asks AIS for a new credential for `identity`.
pub fn renew_request(identity: &Identity, token: &RenewalToken) -> RenewCredentialRequest {
    RenewCredentialRequest {
        actr_id: (&identity.actor_id).into(),
        renewal_token: token.0.clone(),
    }
}
