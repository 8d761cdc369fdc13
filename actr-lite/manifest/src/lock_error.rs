use std::{
    fmt,
    path::{Path, PathBuf},
};

use thiserror::Error;

use crate::{error::ManifestError, replacement::ReplaceError, shell_word::shell_word};

/// The command line that makes a lock file, for people to copy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UpdateCommand(String);

impl UpdateCommand {
    /// The command of this program for this `Actr.toml`, both best named as the user named them.
    pub fn new(program: &str, actr_toml: &Path) -> Self {
        let path = actr_toml.display().to_string();
        let (program, path) = (shell_word(program), shell_word(&path));
        Self(format!("{program} --actr-toml {path} --update-lock"))
    }
}

impl fmt::Display for UpdateCommand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Why there is no usable lock; names the command that makes one.
#[derive(Debug, Error)]
pub enum LockError {
    /// There is no such file.
    #[error("{}: no such lock file; run `{command}` to create it", path.display())]
    Missing {
        /// Where it was looked for.
        path: PathBuf,
        /// The command that creates it.
        command: UpdateCommand,
    },
    /// The file can't be read, or doesn't say what a lock says.
    #[error("{problem}; run `{command}` to write the lock file again")]
    Broken {
        /// What is wrong with it.
        problem: Box<ManifestError>,
        /// What writes it again.
        command: UpdateCommand,
    },
}

/// Why a lock could not be written. An existing file is not changed; if the disk refused that too, the message says so.
#[derive(Debug, Error)]
#[error("{}{}: cannot be written: {error}", path.display(), self.target())]
pub struct WriteLockError {
    path: PathBuf,
    leads_to: PathBuf,
    error: ReplaceError,
}

impl WriteLockError {
    pub(crate) fn new(path: &Path, leads_to: PathBuf, error: ReplaceError) -> Self {
        Self {
            path: path.into(),
            leads_to,
            error,
        }
    }

    /// Where a link leads; nothing for what is no link.
    fn target(&self) -> String {
        if self.path == self.leads_to {
            String::new()
        } else {
            format!(", a link to {}", self.leads_to.display())
        }
    }
}
