#[cfg(feature = "registry-host")]
use std::time::Duration;

use actr_lite_net::exposure::ExposureError;
#[cfg(feature = "registry-host")]
use actr_lite_registry::{RegistryError, realms::RealmsFileError, turn_relays::LoadTurnSecretError};
use actr_lite_registry_client::ParseRegistryUrlError;
#[cfg(feature = "registry-host")]
use actr_lite_tls::HandshakeError;
use thiserror::Error;

#[cfg(feature = "registry-host")]
use crate::readable_duration::readable;

/// Why a node has no registry to go to, as its Actr.toml has it.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum HostError {
    /// The registry's URL is not valid.
    #[error("[system.signaling] url: {0}")]
    Url(#[from] ParseRegistryUrlError),
    /// The node is to host the registry, and its program was built without one.
    #[cfg(not(feature = "registry-host"))]
    #[error(
        "[system.signaling] embedded = true: this program can't host a registry: it is built without the feature \
         registry-host of actr-lite; write embedded = false, and start a server that hosts the registry, or \
         actr-lite-registry"
    )]
    NotCompiledIn,
    /// The embedded registry can't listen.
    #[cfg(feature = "registry-host")]
    #[error(transparent)]
    Registry(#[from] RegistryError),
    /// The file with the registry's realms can't be used.
    #[cfg(feature = "registry-host")]
    #[error("[system.signaling] realms: {0}")]
    Realms(#[from] RealmsFileError),
    /// The secret of the relays can't be used.
    #[cfg(feature = "registry-host")]
    #[error(transparent)]
    TurnSecret(#[from] LoadTurnSecretError),
    /// Keys would expire before what they sign.
    #[cfg(feature = "registry-host")]
    #[error(
        "[system.signaling] key_lifetime is {}, but credentials are valid for {}: a key has to sign at least as long; make it \
         longer, or credential_lifetime shorter",
        readable(*.key),
        readable(*.credential)
    )]
    KeyLifetime {
        /// `key_lifetime`, or its default.
        key: Duration,
        /// `credential_lifetime`, or its default.
        credential: Duration,
    },
    /// The node would not accept its own registry's certificate.
    #[cfg(feature = "registry-host")]
    #[error("[system.signaling] url: nobody gets to the registry that this node is to host at {url}: {cause}")]
    OwnCertificate {
        /// Where the registry is to be.
        url: String,
        /// What a dial would come to.
        cause: Box<HandshakeError>,
    },
    /// Other machines could reach the registry, and it is not protected.
    #[error(transparent)]
    Exposed(#[from] ExposureError),
}
