use std::{
    env,
    fs::File,
    io::{self, Read as _},
    path::{Path, PathBuf},
};

use actr_lite_manifest::Deployment;
use actr_lite_registry::client::{RealmSecret, RealmSecretError};
use thiserror::Error;
use tracing::warn;

/// The environment variable with the realm's secret; it comes before the file of Actr.toml.
pub const REALM_SECRET_VARIABLE: &str = "ACTR_REALM_SECRET";

/// The most bytes of a secret's file: a header takes no more than a few thousand.
const MAX_FILE_LEN: u64 = 4 << 10;

/// Why the realm's secret can't be had. It never shows the secret.
#[derive(Debug, Error)]
pub enum LoadSecretError {
    /// The variable holds none.
    #[error("{REALM_SECRET_VARIABLE}: {0}")]
    Variable(RealmSecretError),
    /// The file can't be read.
    #[error(
        "[system.deployment] realm_secret_file: {path}: {error}; write the realm's secret into it, or set \
         {REALM_SECRET_VARIABLE}"
    )]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
    /// The file holds none.
    #[error("[system.deployment] realm_secret_file: {path}: {error}")]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        error: RealmSecretError,
    },
}

/// The secret of this node's realm, if it has one: from the environment, else from the file that Actr.toml names.
pub(crate) fn load(deployment: &Deployment) -> Result<Option<RealmSecret>, LoadSecretError> {
    let variable = env::var_os(REALM_SECRET_VARIABLE);
    if let Some(value) = variable {
        let secret = RealmSecret::new(&value.to_string_lossy()).map_err(LoadSecretError::Variable)?;
        return Ok(Some(secret));
    }
    let path = deployment.realm_secret_file.as_deref();
    path.map(from_file).transpose()
}

fn from_file(path: &Path) -> Result<RealmSecret, LoadSecretError> {
    let read = || {
        let file = File::open(path)?;
        if is_exposed(&file)? {
            let path = path.display();
            warn!("others can read the realm's secret in {path}: run `chmod 600 {path}`");
        }
        let mut bytes = Vec::new();
        file.take(MAX_FILE_LEN).read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    let bytes = read().map_err(|error| LoadSecretError::Read {
        path: path.into(),
        error,
    })?;
    // Editors end a file with a new line, which is none of the secret.
    let text = String::from_utf8_lossy(&bytes);
    RealmSecret::new(text.trim_end_matches(['\r', '\n'])).map_err(|error| LoadSecretError::File {
        path: path.into(),
        error,
    })
}

#[cfg(unix)]
fn is_exposed(file: &File) -> io::Result<bool> {
    use std::os::unix::fs::PermissionsExt as _;
    Ok(file.metadata()?.permissions().mode() & 0o077 != 0)
}

#[cfg(not(unix))]
fn is_exposed(_file: &File) -> io::Result<bool> {
    Ok(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_holds_the_secret_and_perhaps_the_end_of_a_line() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        for text in ["open sesame", "open sesame\n", "open sesame\r\n"] {
            std::fs::write(&path, text).unwrap();
            assert_eq!(from_file(&path).unwrap().as_bytes(), b"open sesame");
        }
    }

    #[test]
    fn a_file_that_holds_none_is_named_and_not_quoted() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        for text in ["", "\n", "hunter2\nhunter3", "h\u{fc}nter2"] {
            std::fs::write(&path, text).unwrap();
            let error = from_file(&path).unwrap_err().to_string();
            assert!(error.contains(&path.display().to_string()), "{error}");
            assert!(!error.contains("nter2"), "{error}");
        }
        let error = from_file(&folder.path().join("nothing")).unwrap_err().to_string();
        assert!(
            error.contains("nothing: ") && error.contains(REALM_SECRET_VARIABLE),
            "{error}"
        );
    }
}
