use actr_lite_wire::identity::ActrType;
use serde::{Deserialize, Deserializer, de::Error};

use crate::actr_type;

/// `[package]`: what this node is.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Package {
    /// Its name for people; not empty.
    #[serde(deserialize_with = "package_name")]
    pub name: String,
    /// What it does, in a sentence.
    pub description: Option<String>,
    /// Who wrote it.
    #[serde(default)]
    pub authors: Vec<String>,
    /// Its licence, as an SPDX expression.
    pub license: Option<String>,
    /// Words to find it by.
    #[serde(default)]
    pub tags: Vec<String>,
    /// `[package.actr_type]`: the type it registers as.
    #[serde(deserialize_with = "actr_type::from_section")]
    pub actr_type: ActrType,
}

fn package_name<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let name = String::deserialize(deserializer)?;
    if name.is_empty() {
        return Err(D::Error::custom("a package has a name: write one"));
    }
    Ok(name)
}
