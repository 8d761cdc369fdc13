use std::sync::Arc;

use actr_lite_admin::{admin::Admin, token::Token};
use actr_lite_manifest::{Manifest, SignalingUrl};
use actr_lite_tls::Tls;
use actr_lite_wire::realm_secret::RealmSecret;

use crate::node::hosted_registry::error::HostError;

/// There is none in a program that can't host one.
pub(crate) enum HostedRegistry {}

impl HostedRegistry {
    /// Never starts.
    pub(crate) async fn start(
        _: &Manifest,
        _: &Tls,
        _: Option<&RealmSecret>,
        _: Option<&Token>,
    ) -> Result<(SignalingUrl, Self), HostError> {
        Err(HostError::NotCompiledIn)
    }

    pub(crate) fn admin(&self) -> &Arc<Admin> {
        match *self {}
    }

    pub(crate) async fn shutdown(self) {
        match self {}
    }
}
