use actr_lite_manifest::SignalingUrl;
use actr_lite_registry_client::{ParseRegistryUrlError, RegistryUrl};

/// Where the registry is that Actr.toml names.
pub(crate) fn registry_url(url: &SignalingUrl) -> Result<RegistryUrl, ParseRegistryUrlError> {
    url.as_str().parse()
}
