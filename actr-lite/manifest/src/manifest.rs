use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use actr_lite_wire::acl::Acl;
use serde::{Deserialize, Deserializer, de::Error};

use crate::{
    acl,
    config_override::ConfigOverride,
    dependency::Dependency,
    document::Document,
    error::ManifestError,
    expecting::{array, whole_number},
    file::read_text,
    package::Package,
    place::Place,
    problems::Problems,
    reference::ACTR_TOML,
    system::System,
};

/// The edition of `Actr.toml` that this runtime reads.
pub const EDITION: u32 = 1;

/// What an `Actr.toml` says: who a node is, where its registry is, what it offers and needs.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    #[serde(rename = "edition")]
    _edition: Edition,
    /// `exports`: the proto files whose services other nodes may call; none if absent. Each has a file name that ends
    /// with `.proto`.
    #[serde(default, deserialize_with = "exports")]
    pub exports: Vec<PathBuf>,
    /// `[package]`.
    pub package: Package,
    /// `[dependencies]`, by alias.
    #[serde(default)]
    pub dependencies: BTreeMap<String, Dependency>,
    /// `[system]`.
    pub system: System,
    /// `[acl]`; `None` lets everybody of the realm call.
    #[serde(default, deserialize_with = "acl::optional")]
    pub acl: Option<Acl>,
    /// `[scripts]`: command lines by name, for tools; nothing here runs them.
    #[serde(default)]
    pub scripts: BTreeMap<String, String>,
}

impl Manifest {
    /// Reads the file at `path`, then applies the overrides in their order, then checks the result.
    ///
    /// # Errors
    /// Everything that is wrong; see [`ManifestError`]. Rules about several keys are looked at once each of them is right.
    pub fn load(path: &Path, overrides: &[ConfigOverride]) -> Result<Self, Problems<ManifestError>> {
        Self::parse(&read_text(path)?, path, overrides)
    }

    /// The same of a text that is at hand; `path` is what errors call it.
    ///
    /// # Errors
    /// As [`Self::load`].
    pub fn parse(text: &str, path: &Path, overrides: &[ConfigOverride]) -> Result<Self, Problems<ManifestError>> {
        let document = Document::parse(text, path, overrides, ACTR_TOML)?;
        // Another edition may have other keys, so its number comes first.
        document.read::<EditionAlone>()?;
        let manifest: Self = document.read()?;
        let folder = path.parent().unwrap_or(Path::new(""));
        Ok(Self {
            system: manifest.system.settled(&document, folder)?,
            ..manifest
        })
    }

    /// Where the file at `path`, or an override, sets a key such as `system.tls.cert`; the file itself if neither does.
    pub fn place_of(key: &str, path: &Path, overrides: &[ConfigOverride]) -> Place {
        let text = read_text(path).unwrap_or_default();
        match Document::parse(&text, path, overrides, ACTR_TOML) {
            Ok(document) => document.place_of(&key.split('.').collect::<Vec<_>>()),
            Err(_) => Place::in_file(path),
        }
    }

    /// Whether `exports` names a proto file of this file name, in whatever directory.
    pub fn exports_proto(&self, file_name: &str) -> bool {
        self.exports
            .iter()
            .any(|path| path.file_name().is_some_and(|name| name == file_name))
    }
}

/// `edition`, which is [`EDITION`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Edition;

/// A file of which only the edition is known, if even that.
#[derive(Deserialize)]
struct EditionAlone {
    #[serde(rename = "edition")]
    _edition: Option<Edition>,
}

impl<'de> Deserialize<'de> for Edition {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if whole_number(deserializer, "the number 1")? == i128::from(EDITION) {
            return Ok(Self);
        }
        Err(D::Error::custom(format_args!(
            "this runtime reads edition {EDITION}: write edition = {EDITION}"
        )))
    }
}

fn exports<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<PathBuf>, D::Error> {
    let paths: Vec<ProtoPath> = array(deserializer, "an array of paths of .proto files")?;
    Ok(paths.into_iter().map(|ProtoPath(path)| path).collect())
}

struct ProtoPath(PathBuf);

impl<'de> Deserialize<'de> for ProtoPath {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let path = PathBuf::deserialize(deserializer)?;
        if path.extension().is_some_and(|extension| extension == "proto") {
            return Ok(Self(path));
        }
        Err(D::Error::custom("not the path of a .proto file"))
    }
}
