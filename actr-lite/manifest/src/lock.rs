use std::{
    ffi::OsString,
    fmt,
    path::{Path, PathBuf},
};

use actr_lite_wire::identity::{ActrType, DEFAULT_VERSION};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

use crate::{
    actr_type,
    document::Document,
    error::ManifestError,
    expecting::{array, whole_number},
    file::read_text,
    fingerprint::{ContractFingerprint, FileFingerprint},
    lock_error::{LockError, UpdateCommand, WriteLockError},
    problems::Problems,
    reference::ACTR_LOCK_TOML,
    replacement::{follow_links, replace},
    timestamp::Timestamp,
};

/// What an `Actr.lock.toml` says: the contracts that a node's dependencies had when it was last brought up to date.
/// The format is actr's, version 1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lock {
    /// `[metadata] generated_at`: when the file was written.
    pub generated_at: Timestamp,
    /// `[[dependency]]`; no two are of one type.
    dependencies: Vec<LockedDependency>,
}

/// One `[[dependency]]` of a [`Lock`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LockedDependency {
    /// Its alias in `Actr.toml`.
    pub name: String,
    /// The type that it is discovered by.
    #[serde(deserialize_with = "actr_type::from_text", serialize_with = "write_actr_type")]
    pub actr_type: ActrType,
    /// What it does, in a sentence, as it was published.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// What its contract was.
    pub fingerprint: ContractFingerprint,
    /// When it was published, in seconds since 1970.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub published_at: Option<i64>,
    /// Words such as `latest`, as they were published.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// When this entry was made.
    pub cached_at: Timestamp,
    /// `[[dependency.files]]`: the proto files of the contract.
    #[serde(default, deserialize_with = "files", skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<LockedFile>,
}

/// One `[[dependency.files]]` of a [`LockedDependency`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LockedFile {
    /// The file's name, with a directory or without.
    pub path: String,
    /// What the file said.
    pub fingerprint: FileFingerprint,
}

/// The only format there is.
const FORMAT_VERSION: u32 = 1;

const FILE_NAME_ENDING: &str = ".lock.toml";

const HEADER: &str = "# Written by `--update-lock`: the contracts this node was built against.\n\n";

impl Lock {
    /// A lock without dependencies.
    pub fn new(generated_at: Timestamp) -> Self {
        Self {
            generated_at,
            dependencies: Vec::new(),
        }
    }

    /// Where the lock of an `Actr.toml` is: `Actr.lock.toml` in the same directory.
    pub fn path_beside(actr_toml: &Path) -> PathBuf {
        let mut file_name = actr_toml.file_stem().map_or_else(OsString::new, OsString::from);
        file_name.push(FILE_NAME_ENDING);
        actr_toml.with_file_name(file_name)
    }

    /// Reads a lock file.
    ///
    /// # Errors
    /// When it is missing or broken; the error names `update_command`.
    pub fn load(path: &Path, update_command: &UpdateCommand) -> Result<Self, LockError> {
        read_text(path)
            .and_then(|text| Self::parse(&text, path))
            .map_err(|problem| match problem {
                ManifestError::NotFound { path, .. } => LockError::Missing {
                    path,
                    command: update_command.clone(),
                },
                problem => LockError::Broken {
                    problem: Box::new(problem),
                    command: update_command.clone(),
                },
            })
    }

    /// Reads a lock from text that is at hand; `path` is what errors call it.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn parse(text: &str, path: &Path) -> Result<Self, ManifestError> {
        let document = Document::parse(text, path, &[], ACTR_LOCK_TOML)?;
        let LockFile { metadata, dependency } = document.read().map_err(Problems::into_first)?;
        let mut lock = Self::new(metadata.generated_at);
        for (index, dependency) in dependency.into_iter().enumerate() {
            if lock.dependency(&dependency.actr_type).is_some() {
                let actr_type = ["dependency", &index.to_string(), "actr_type"];
                return Err(document.invalid(&actr_type, "another [[dependency]] has this type"));
            }
            lock.dependencies.push(dependency);
        }
        Ok(lock)
    }

    /// All dependencies, in the file's order.
    pub fn dependencies(&self) -> &[LockedDependency] {
        &self.dependencies
    }

    /// What is locked for this type, version included.
    pub fn dependency(&self, actr_type: &ActrType) -> Option<&LockedDependency> {
        self.dependencies
            .iter()
            .find(|dependency| dependency.actr_type == *actr_type)
    }

    /// The same lock with this dependency in place of those of its type or name, sorted by name. The time of
    /// generation becomes the dependency's `cached_at`.
    #[must_use]
    pub fn with_dependency(mut self, dependency: LockedDependency) -> Self {
        self.generated_at = dependency.cached_at.clone();
        self.dependencies
            .retain(|other| other.actr_type != dependency.actr_type && other.name != dependency.name);
        self.dependencies.push(dependency);
        self.dependencies.sort_by(|one, other| one.name.cmp(&other.name));
        self
    }

    /// Writes the lock to where `path` leads, whole or not at all: to a new file in the same directory, flushed to the
    /// disk, that then takes the place of the old one. A file that can't be replaced, such as one that a container mounts
    /// by itself, is written in place.
    ///
    /// # Errors
    /// When the directory or the disk refuses.
    pub fn write(&self, path: &Path) -> Result<(), WriteLockError> {
        let mut target = path.to_path_buf();
        let written = follow_links(path).and_then(|end| {
            target = end;
            replace(&target, &self.to_string())
        });
        written.map_err(|error| WriteLockError::new(path, target, error))
    }
}

/// The text of the file.
impl fmt::Display for Lock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let file = LockFile {
            metadata: Metadata {
                version: FormatVersion(FORMAT_VERSION),
                generated_at: self.generated_at.clone(),
            },
            dependency: self.dependencies.clone(),
        };
        let text = toml::to_string(&file).map_err(|_| fmt::Error)?;
        write!(f, "{HEADER}{text}")
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct LockFile {
    metadata: Metadata,
    #[serde(default, deserialize_with = "dependencies", skip_serializing_if = "Vec::is_empty")]
    dependency: Vec<LockedDependency>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Metadata {
    version: FormatVersion,
    generated_at: Timestamp,
}

/// [`FORMAT_VERSION`].
#[derive(Serialize)]
struct FormatVersion(u32);

impl<'de> Deserialize<'de> for FormatVersion {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if whole_number(deserializer, "the number 1")? == i128::from(FORMAT_VERSION) {
            return Ok(Self(FORMAT_VERSION));
        }
        Err(D::Error::custom(format_args!(
            "this runtime reads lock files of version {FORMAT_VERSION}"
        )))
    }
}

fn dependencies<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<LockedDependency>, D::Error> {
    array(deserializer, "sections [[dependency]]")
}

fn files<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<LockedFile>, D::Error> {
    array(deserializer, "sections [[dependency.files]]")
}

/// The original's spelling wherever it can say the same.
fn write_actr_type<S: Serializer>(actr_type: &ActrType, serializer: S) -> Result<S::Ok, S::Error> {
    if actr_type.version() == DEFAULT_VERSION {
        return serializer.collect_str(&format_args!("{}+{}", actr_type.manufacturer(), actr_type.name()));
    }
    serializer.collect_str(actr_type)
}
