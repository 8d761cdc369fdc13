use std::{
    ffi::OsString,
    path::{Path, PathBuf},
};

use actr_lite_wire::identity::ActrType;

use crate::{
    ContractFingerprint, FileFingerprint, LockError, ManifestError, Place, Timestamp, UpdateCommand, WriteLockError,
    document::Node,
    file::{read_text, write_atomically},
    schema::Schema,
    section::{Field, Section},
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
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LockedDependency {
    /// Its alias in `Actr.toml`.
    pub name: String,
    /// The type that it is discovered by.
    pub actr_type: ActrType,
    /// What its contract was.
    pub fingerprint: ContractFingerprint,
    /// What it does, in a sentence, as it was published.
    pub description: Option<String>,
    /// When it was published, in seconds since 1970.
    pub published_at: Option<i64>,
    /// Words such as `latest`, as they were published.
    pub tags: Vec<String>,
    /// When this entry was made.
    pub cached_at: Timestamp,
    /// `[[dependency.files]]`: the proto files of the contract.
    pub files: Vec<LockedFile>,
}

/// One `[[dependency.files]]` of a [`LockedDependency`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LockedFile {
    /// The file's name, with a directory or without.
    pub path: String,
    /// What the file said.
    pub fingerprint: FileFingerprint,
}

/// The only format there is.
pub(crate) const FORMAT_VERSION: u32 = 1;

const FILE_NAME_ENDING: &str = ".lock.toml";

const SCHEMA: Schema = Schema(&[
    (&[], &["metadata", "dependency"]),
    (&["metadata"], &["version", "generated_at"]),
    (
        &["dependency"],
        &[
            "name",
            "actr_type",
            "description",
            "fingerprint",
            "published_at",
            "tags",
            "cached_at",
            "files",
        ],
    ),
    (&["dependency", "files"], &["path", "fingerprint"]),
]);

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
        let document = Node::parse_document(text, &Place::in_file(path))?;
        SCHEMA.refuse_unknown_keys(&document)?;
        let root = Section::root(&document);
        let metadata = root.section("metadata")?;
        let version = metadata.required("version", "version = 1")?;
        if version.integer::<i128>("the number 1")? != i128::from(FORMAT_VERSION) {
            return Err(version.invalid(format_args!(
                "this runtime reads lock files of version {FORMAT_VERSION}"
            )));
        }
        let mut lock = Self::new(
            metadata
                .required("generated_at", r#"generated_at = "2024-01-15T10:30:00Z""#)?
                .parse()?,
        );
        for field in root.array("dependency", "sections [[dependency]]")? {
            let section = field.section()?;
            let dependency = LockedDependency::read(&section)?;
            if lock.dependency(&dependency.actr_type).is_some() {
                let actr_type = section.required("actr_type", ACTR_TYPE_EXAMPLE)?;
                return Err(actr_type.invalid("another [[dependency]] has this type"));
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

    /// Writes the lock to `path`, whole or not at all: to a new file in the same directory, flushed to the disk, that
    /// then takes the place of the old one.
    ///
    /// # Errors
    /// When the directory or the disk refuses.
    pub fn write(&self, path: &Path) -> Result<(), WriteLockError> {
        write_atomically(path, &self.to_string()).map_err(|error| WriteLockError::new(path, error))
    }
}

const ACTR_TYPE_EXAMPLE: &str = r#"actr_type = "acme+StreamEchoServer""#;
const FINGERPRINT_EXAMPLE: &str = r#"fingerprint = "service_semantic:...""#;

impl LockedDependency {
    fn read(section: &Section<'_>) -> Result<Self, ManifestError> {
        let published_at = |field: Field<'_>| field.integer("a whole number of seconds");
        Ok(Self {
            name: section.required("name", r#"name = "server""#)?.string()?.into(),
            actr_type: section.required("actr_type", ACTR_TYPE_EXAMPLE)?.actr_type()?,
            fingerprint: section.required("fingerprint", FINGERPRINT_EXAMPLE)?.parse()?,
            description: section.string_or_none("description")?,
            published_at: section.optional("published_at").map(published_at).transpose()?,
            tags: section.strings("tags")?,
            cached_at: section
                .required("cached_at", r#"cached_at = "2024-01-15T10:30:00Z""#)?
                .parse()?,
            files: section
                .array("files", "sections [[dependency.files]]")?
                .iter()
                .map(|field| LockedFile::read(&field.section()?))
                .collect::<Result<_, _>>()?,
        })
    }
}

impl LockedFile {
    fn read(section: &Section<'_>) -> Result<Self, ManifestError> {
        Ok(Self {
            path: section
                .required("path", r#"path = "stream_server.proto""#)?
                .string()?
                .into(),
            fingerprint: section
                .required("fingerprint", r#"fingerprint = "semantic:...""#)?
                .parse()?,
        })
    }
}
