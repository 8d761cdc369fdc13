//! What an `Actr.toml` says arrives typed, with defaults for what it leaves out and overrides in place of what it says.
#![allow(clippy::unwrap_used, reason = "a test that can't go on has failed")]

mod arbitrary;
mod defaults;
mod keys;
mod overrides;

use std::path::Path;

use actr_lite_manifest::{ConfigOverride, Manifest, ManifestError, Problems};

const LEAST: &str = r#"
edition = 1
package = { name = "echo", actr_type = { manufacturer = "acme", name = "Echo" } }
system.signaling.url = "ws://127.0.0.1:8081/signaling/ws"
system.deployment.realm_id = 7
"#;

fn parse(text: &str, overrides: &[&str]) -> Result<Manifest, ManifestError> {
    let overrides: Vec<ConfigOverride> = overrides.iter().map(|text| text.parse().unwrap()).collect();
    Manifest::parse(text, Path::new("Actr.toml"), &overrides).map_err(Problems::into_first)
}

fn good(text: &str, overrides: &[&str]) -> Manifest {
    parse(text, overrides).unwrap_or_else(|error| panic!("{error}"))
}
