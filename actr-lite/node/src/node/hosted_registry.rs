//! The registry that a node hosts, if its Actr.toml says so and its program can: if `registry-host`, a feature of this
//! crate, is on. Without it no registry is compiled.

#[cfg(not(feature = "registry-host"))]
mod absent;
#[cfg(feature = "registry-host")]
mod embedded;
pub(crate) mod error;

use actr_lite_admin::token::Token;
use actr_lite_manifest::Manifest;
use actr_lite_registry_client::RegistryUrl;
use actr_lite_tls::Tls;
use actr_lite_wire::realm_secret::RealmSecret;

#[cfg(not(feature = "registry-host"))]
pub(crate) use absent::HostedRegistry;
#[cfg(feature = "registry-host")]
pub(crate) use embedded::HostedRegistry;

use crate::{node::hosted_registry::error::HostError, settings::registry_url::registry_url};

/// The registry's URL, and the registry itself if this node is to host it: it runs then.
pub(crate) async fn host(
    manifest: &Manifest,
    tls: &Tls,
    realm_secret: Option<&RealmSecret>,
    admin_token: Option<&Token>,
) -> Result<(RegistryUrl, Option<HostedRegistry>), HostError> {
    let signaling = &manifest.system.signaling;
    if !signaling.embedded {
        return Ok((registry_url(&signaling.url)?, None));
    }
    let (url, registry) = HostedRegistry::start(manifest, tls, realm_secret, admin_token).await?;
    Ok((registry_url(&url)?, Some(registry)))
}
