//! What Actr.toml says of secrets and certificates, checked and loaded.
//!
//! It knows files and environment variables. It must not know what runs.

pub(crate) mod clear_text;
pub(crate) mod realm_secret;
pub(crate) mod registry_url;
pub(crate) mod tls;
pub(crate) mod webrtc;
