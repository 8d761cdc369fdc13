//! The registry that a node hosts, if its Actr.toml says so and its program can: if `registry-host`, a feature of this
//! crate, is on. Without it no registry is compiled.

#[cfg(not(feature = "registry-host"))]
mod absent;
#[cfg(feature = "registry-host")]
mod embedded;
pub(crate) mod error;

use actr_lite_admin::token::Token;
use actr_lite_manifest::{Manifest, Problems};
use actr_lite_registry_client::RegistryUrl;
use actr_lite_tls::Tls;
use actr_lite_wire::realm_secret::RealmSecret;

#[cfg(not(feature = "registry-host"))]
pub(crate) use absent::{HostedRegistry, RegistryPlan};
#[cfg(feature = "registry-host")]
pub(crate) use embedded::{HostedRegistry, RegistryPlan};

use crate::{node::hosted_registry::error::HostError, settings::registry_url::registry_url};

/// Where the registry is: elsewhere, or in this node as soon as it is started.
pub(crate) enum RegistryPlace {
    Elsewhere(RegistryUrl),
    Here(Box<RegistryPlan>),
}

impl RegistryPlace {
    /// As the manifest has it. `tls`, `realm_secret` and `admin_token` are `None` if they can't be read: what depends on them is
    /// not looked at then.
    pub(crate) fn of(
        manifest: &Manifest,
        tls: Option<&Tls>,
        realm_secret: Option<Option<&RealmSecret>>,
        admin_token: Option<Option<&Token>>,
    ) -> Result<Self, Problems<HostError>> {
        let signaling = &manifest.system.signaling;
        if signaling.embedded {
            return Ok(Self::Here(Box::new(RegistryPlan::of(
                manifest,
                tls,
                realm_secret,
                admin_token,
            )?)));
        }
        Ok(Self::Elsewhere(registry_url(&signaling.url).map_err(HostError::from)?))
    }

    /// Starts it, if it is here; gives its URL too.
    pub(crate) async fn start(self) -> Result<(RegistryUrl, Option<HostedRegistry>), HostError> {
        match self {
            Self::Elsewhere(url) => Ok((url, None)),
            Self::Here(plan) => {
                let (url, registry) = plan.start().await?;
                Ok((registry_url(&url)?, Some(registry)))
            }
        }
    }
}
