use std::{
    env, io,
    path::{Path, PathBuf},
};

use actr_lite_files::secret::{self as secret_file, Content};
use actr_lite_manifest::System;
use actr_lite_net::is_this_machine;
use actr_lite_wire::realm_secret::{RealmSecret, RealmSecretError};
use thiserror::Error;
use tracing::warn;

/// The environment variable with the realm's secret; it overrides the file of Actr.toml.
pub const REALM_SECRET_VARIABLE: &str = "ACTR_REALM_SECRET";

/// The most bytes of a secret's file: a header takes no more than a few thousand.
const MAX_FILE_LEN: u64 = 4 << 10;

/// Why the realm's secret can't be loaded. It never shows the secret.
#[derive(Debug, Error)]
pub enum LoadSecretError {
    /// The variable holds no valid secret.
    #[error("{REALM_SECRET_VARIABLE}: {0}")]
    Variable(RealmSecretError),
    /// It would be sent over a network without TLS.
    #[error(
        "[system.signaling] url: {url}: the realm's secret is not sent over a network without TLS: write wss://; or, where \
         the network itself is trusted, add insecure = true to [system]"
    )]
    Unprotected {
        /// Where the registry is.
        url: String,
    },
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
    /// The file holds no valid secret.
    #[error("[system.deployment] realm_secret_file: {path}: {error}")]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        error: RealmSecretError,
    },
}

/// The secret of this node's realm, if it has one: from the environment, else from the file that Actr.toml names. It is
/// not sent where others between this node and its registry could read it.
pub(crate) fn load(system: &System) -> Result<Option<RealmSecret>, LoadSecretError> {
    let secret = match env::var_os(REALM_SECRET_VARIABLE) {
        Some(value) => Some(RealmSecret::new(&value.to_string_lossy()).map_err(LoadSecretError::Variable)?),
        None => system
            .deployment
            .realm_secret_file
            .as_deref()
            .map(from_file)
            .transpose()?,
    };
    let url = &system.signaling.url;
    if secret.is_some() && !url.is_tls() && !is_this_machine(url.host()) && !system.insecure {
        return Err(LoadSecretError::Unprotected { url: url.to_string() });
    }
    Ok(secret)
}

fn from_file(path: &Path) -> Result<RealmSecret, LoadSecretError> {
    let Content { bytes, exposed } = secret_file::read(path, MAX_FILE_LEN).map_err(|error| LoadSecretError::Read {
        path: path.into(),
        error,
    })?;
    if let Some(exposed) = exposed {
        warn!("[system.deployment] realm_secret_file: {exposed}");
    }
    // Editors end a file with a newline, which is not part of the secret.
    let text = String::from_utf8_lossy(&bytes);
    RealmSecret::new(text.trim_end_matches(['\r', '\n'])).map_err(|error| LoadSecretError::File {
        path: path.into(),
        error,
    })
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
