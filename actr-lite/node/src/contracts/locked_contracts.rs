use std::path::PathBuf;

use actr_lite_manifest::{ContractFingerprint, Lock, UpdateCommand};
use actr_lite_wire::identity::ActrType;

use crate::error::discover_error::DiscoverError;

/// The contracts that a node was built against.
#[derive(Debug, Clone)]
pub(crate) struct LockedContracts {
    pub(crate) lock: Option<Lock>,
    pub(crate) lock_path: PathBuf,
    /// The command that writes the lock file again.
    pub(crate) command: UpdateCommand,
    pub(crate) dependencies: Vec<ActrType>,
}

impl LockedContracts {
    /// Of a node that depends on nothing.
    #[cfg(feature = "fuzzing")]
    pub(crate) fn none(command: UpdateCommand) -> Self {
        Self {
            lock: None,
            lock_path: PathBuf::new(),
            command,
            dependencies: Vec::new(),
        }
    }

    /// The contract that the lock file has for a dependency; `None` for a type that is not one.
    pub(crate) fn expected(&self, actr_type: &ActrType) -> Result<Option<ContractFingerprint>, DiscoverError> {
        if !self.depends_on(actr_type) {
            return Ok(None);
        }
        let locked = self.lock.as_ref().and_then(|lock| lock.dependency(actr_type));
        match locked {
            Some(locked) => Ok(Some(locked.fingerprint)),
            None => Err(DiscoverError::NotLocked {
                actr_type: actr_type.clone(),
                lock: self.lock_path.display().to_string(),
                command: self.command.to_string(),
            }),
        }
    }

    /// What is missing in the lock file.
    pub(crate) fn not_locked(&self) -> impl Iterator<Item = DiscoverError> {
        let expected = self.dependencies.iter().map(|actr_type| self.expected(actr_type));
        expected.filter_map(Result::err)
    }

    /// Whether Actr.toml names this type as a dependency.
    fn depends_on(&self, actr_type: &ActrType) -> bool {
        self.dependencies.contains(actr_type)
    }
}
