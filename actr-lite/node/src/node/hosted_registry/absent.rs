use std::sync::Arc;

use actr_lite_admin::{admin::Admin, token::Token};
use actr_lite_manifest::{Manifest, Problems, SignalingUrl};
use actr_lite_tls::Tls;
use actr_lite_wire::realm_secret::RealmSecret;

use crate::node::hosted_registry::error::HostError;

/// There is none in a program that can't host one.
pub(crate) enum HostedRegistry {}

/// There is none either.
pub(crate) enum RegistryPlan {}

impl RegistryPlan {
    /// Never made.
    pub(crate) fn of(
        _: &Manifest,
        _: Option<&Tls>,
        _: Option<Option<&RealmSecret>>,
        _: Option<Option<&Token>>,
    ) -> Result<Self, Problems<HostError>> {
        Err(HostError::NotCompiledIn.into())
    }

    pub(crate) async fn start(self) -> Result<(SignalingUrl, HostedRegistry), HostError> {
        match self {}
    }
}

impl HostedRegistry {
    pub(crate) fn admin(&self) -> &Arc<Admin> {
        match *self {}
    }

    pub(crate) async fn shutdown(self) {
        match self {}
    }
}
