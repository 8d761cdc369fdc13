use std::path::PathBuf;

use actr_lite_manifest::{Lock, UpdateCommand};
use actr_lite_wire::identity::ActrType;

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

    /// Whether Actr.toml names this type as a dependency.
    pub(crate) fn depends_on(&self, actr_type: &ActrType) -> bool {
        self.dependencies.contains(actr_type)
    }
}
