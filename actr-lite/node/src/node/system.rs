use std::{
    env,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use actr_lite_manifest::{
    ConfigOverride, ContractFingerprint, Lock, LockError, Manifest, ManifestError, Place, Problems, UpdateCommand,
};
use actr_lite_wire::identity::ActrType;
use thiserror::Error;

use crate::{
    contracts::{
        lock_update::{self, UpdateLockError},
        locked_contracts::LockedContracts,
    },
    trace::{span_contexts::SpanContexts, tracer::Tracer},
};

/// A program needs a dependency that its Actr.toml does not have.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error(
    "{} has no dependency {alias:?}: add {alias} = {{ actr_type = \"…\" }} to [dependencies]", .path.display()
)]
pub struct MissingDependency {
    path: PathBuf,
    alias: String,
}

/// What Actr.toml says, before anything runs.
#[derive(Debug, Clone)]
pub struct ActrSystem {
    path: PathBuf,
    overrides: Vec<ConfigOverride>,
    manifest: Manifest,
    tracer: Tracer,
}

impl ActrSystem {
    /// Reads an Actr.toml.
    ///
    /// # Errors
    /// When it can't be read or is not valid; the error names file, line, key and what is expected.
    pub fn from_toml(path: impl AsRef<Path>) -> Result<Self, ManifestError> {
        Self::from_toml_with(path, &[])
    }

    /// The same with some keys overridden.
    ///
    /// # Errors
    /// As [`Self::from_toml`]; for an override the error names its argument.
    pub fn from_toml_with(path: impl AsRef<Path>, overrides: &[ConfigOverride]) -> Result<Self, ManifestError> {
        Self::read(path, overrides).map_err(Problems::into_first)
    }

    /// The same, which tells everything that is wrong with the file and the overrides.
    ///
    /// # Errors
    /// As [`Self::from_toml_with`].
    pub fn read(path: impl AsRef<Path>, overrides: &[ConfigOverride]) -> Result<Self, Problems<ManifestError>> {
        let path = path.as_ref().to_path_buf();
        let manifest = Manifest::load(&path, overrides)?;
        let overrides = overrides.to_vec();
        Ok(Self {
            path,
            overrides,
            manifest,
            tracer: Tracer::default(),
        })
    }

    /// Lets this record the spans of the node, and decide which trace each belongs to. Without it the node passes on the trace
    /// context of its callers.
    pub fn with_span_contexts(mut self, contexts: Arc<dyn SpanContexts>) -> Self {
        self.tracer = Tracer::new(Some(contexts));
        self
    }

    pub(crate) fn tracer(&self) -> &Tracer {
        &self.tracer
    }

    /// Where a key is set.
    pub(crate) fn place_of(&self, key: &str) -> Place {
        Manifest::place_of(key, &self.path, &self.overrides)
    }

    /// What the file says.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// The actor type of a dependency, by its alias in `[dependencies]`.
    ///
    /// # Errors
    /// When Actr.toml does not have it.
    pub fn dependency(&self, alias: &str) -> Result<&ActrType, MissingDependency> {
        let dependency = self.manifest.dependencies.get(alias);
        let dependency = dependency.ok_or_else(|| MissingDependency {
            path: self.path.clone(),
            alias: alias.into(),
        })?;
        Ok(&dependency.actr_type)
    }

    /// Asks the registry for the contract of each dependency, waiting until `timeout` is over for one that is not
    /// there yet, and writes them into the lock file beside Actr.toml, all or nothing. Returns its path. If servers of a type
    /// publish several contracts, it takes `contract`.
    ///
    /// # Errors
    /// When a contract can't be had, it is not clear which one is right, or the file can't be written; the old file is
    /// untouched then.
    pub async fn update_lock(
        self,
        contract: Option<ContractFingerprint>,
        timeout: Duration,
    ) -> Result<PathBuf, UpdateLockError> {
        let command = UpdateCommand::new(&program_name(), &self.path);
        lock_update::update_lock(&self.manifest, &self.path, contract, &command, timeout).await
    }

    /// What the lock file says; an error where there is none though something depends on it.
    pub(crate) fn contracts(&self) -> Result<LockedContracts, LockError> {
        let command = UpdateCommand::new(&program_name(), &self.path);
        let lock_path = Lock::path_beside(&self.path);
        let dependencies: Vec<_> = self
            .manifest
            .dependencies
            .values()
            .map(|dependency| dependency.actr_type.clone())
            .collect();
        let lock = if dependencies.is_empty() {
            None
        } else {
            Some(Lock::load(&lock_path, &command)?)
        };
        Ok(LockedContracts {
            lock,
            lock_path,
            command,
            dependencies,
        })
    }
}

/// This program as its user called it, without its folder.
fn program_name() -> String {
    let called = env::args_os().next().map(PathBuf::from).unwrap_or_default();
    called
        .file_name()
        .map_or_else(|| "client".into(), |name| name.to_string_lossy().into_owned())
}
