use actr_lite_manifest::Place;
use thiserror::Error;

use crate::{
    actor::router::RouterError,
    node::{hosted_registry::error::HostError, start_error::StartError},
    settings::{clear_text::InClearError, realm_secret::LoadSecretError},
};

/// Something that keeps a node from starting, and which part of its configuration says so.
#[derive(Debug, Error)]
#[error("{place}: {problem}")]
pub struct CheckError {
    place: Place,
    problem: StartError,
}

impl CheckError {
    pub(crate) fn new(problem: StartError, place_of: impl FnOnce(&str) -> Place) -> Self {
        let place = place_of(key_of(&problem).unwrap_or_default());
        Self { place, problem }
    }

    /// What is wrong.
    pub fn problem(&self) -> &StartError {
        &self.problem
    }
}

/// The key of Actr.toml that has to be looked at first.
fn key_of(problem: &StartError) -> Option<&str> {
    match problem {
        StartError::Router(RouterError::Export { .. }) => Some("exports"),
        StartError::Tls(error) => error.file().map(|file| file.name()),
        StartError::Certificate { .. } => Some("system.tls.cert"),
        StartError::RealmSecret(LoadSecretError::Read { .. } | LoadSecretError::File { .. }) => {
            Some("system.deployment.realm_secret_file")
        }
        StartError::TurnPassword(_) => Some("system.webrtc.turn_password_file"),
        StartError::RealmSecret(LoadSecretError::Unprotected { .. })
        | StartError::InClear(InClearError::Registry { .. }) => Some("system.signaling.url"),
        StartError::InClear(InClearError::DataLane { key: "advertised", .. }) => Some("system.websocket.advertised"),
        StartError::InClear(InClearError::DataLane { .. })
        | StartError::OwnDataLane { .. }
        | StartError::Bind(_)
        | StartError::Exposed(_) => Some("system.websocket.listen"),
        StartError::Host(error) => Some(key_of_registry(error)),
        StartError::NotLocked(_) => Some("dependencies"),
        _ => None,
    }
}

fn key_of_registry(error: &HostError) -> &'static str {
    match error {
        HostError::Url(_) => "system.signaling.url",
        #[cfg(not(feature = "registry-host"))]
        HostError::NotCompiledIn => "system.signaling.embedded",
        #[cfg(feature = "registry-host")]
        HostError::Registry(actr_lite_registry::RegistryError::Keys(_)) => "system.signaling.data_dir",
        #[cfg(feature = "registry-host")]
        HostError::Registry(actr_lite_registry::RegistryError::Audit(_)) => "system.signaling.audit_log",
        #[cfg(feature = "registry-host")]
        HostError::Realms(_) => "system.signaling.realms",
        #[cfg(feature = "registry-host")]
        HostError::KeyLifetime { .. } => "system.signaling.key_lifetime",
        #[cfg(feature = "registry-host")]
        HostError::OwnCertificate { .. } | HostError::Registry(_) => "system.signaling.url",
        #[cfg(feature = "registry-host")]
        HostError::TurnSecret(_) => "system.signaling.turn_secret_file",
        HostError::Exposed(_) => "system.signaling.listen",
    }
}
