use std::fmt;

use actr_lite_wire::identity::{ActrType, DEFAULT_VERSION};
use serde::Serialize;

use crate::{Lock, LockedDependency, LockedFile, lock::FORMAT_VERSION};

const HEADER: &str = "# Written by `client --update-lock`: the contracts this node was built against.\n\n";

/// The text of the file.
impl fmt::Display for Lock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = toml::to_string(&WrittenLock::from(self)).map_err(|_| fmt::Error)?;
        write!(f, "{HEADER}{text}")
    }
}

#[derive(Serialize)]
struct WrittenLock<'a> {
    metadata: WrittenMetadata<'a>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    dependency: Vec<WrittenDependency<'a>>,
}

#[derive(Serialize)]
struct WrittenMetadata<'a> {
    version: u32,
    generated_at: &'a str,
}

#[derive(Serialize)]
struct WrittenDependency<'a> {
    name: &'a str,
    actr_type: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'a str>,
    fingerprint: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    published_at: Option<i64>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    tags: &'a [String],
    cached_at: &'a str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    files: Vec<WrittenFile<'a>>,
}

#[derive(Serialize)]
struct WrittenFile<'a> {
    path: &'a str,
    fingerprint: String,
}

impl<'a> From<&'a Lock> for WrittenLock<'a> {
    fn from(lock: &'a Lock) -> Self {
        Self {
            metadata: WrittenMetadata {
                version: FORMAT_VERSION,
                generated_at: lock.generated_at.as_str(),
            },
            dependency: lock.dependencies().iter().map(WrittenDependency::from).collect(),
        }
    }
}

impl<'a> From<&'a LockedDependency> for WrittenDependency<'a> {
    fn from(dependency: &'a LockedDependency) -> Self {
        let file = |file: &'a LockedFile| WrittenFile {
            path: &file.path,
            fingerprint: file.fingerprint.to_string(),
        };
        Self {
            name: &dependency.name,
            actr_type: written_actr_type(&dependency.actr_type),
            description: dependency.description.as_deref(),
            fingerprint: dependency.fingerprint.to_string(),
            published_at: dependency.published_at,
            tags: &dependency.tags,
            cached_at: dependency.cached_at.as_str(),
            files: dependency.files.iter().map(file).collect(),
        }
    }
}

/// The original's spelling wherever it can say the same.
fn written_actr_type(actr_type: &ActrType) -> String {
    if actr_type.version() == DEFAULT_VERSION {
        return format!("{}+{}", actr_type.manufacturer(), actr_type.name());
    }
    actr_type.to_string()
}
