use actr_lite_manifest::SignalingUrl;
use actr_lite_registry::client::{ParseRegistryUrlError, RegistryUrl};

/// The registry's URL as its client takes it.
pub(crate) fn registry_url(url: &SignalingUrl) -> Result<RegistryUrl, ParseRegistryUrlError> {
    url.as_str().parse()
}
