//! Credentials for TURN relays that are good for a while, and that the relays can check without asking (coturn's
//! `use-auth-secret`).

use std::{fmt, io, path::Path, path::PathBuf};

use actr_lite_files::secret::{self as secret_file, Content};
use actr_lite_wire::{ice_server::TurnUrl, identity::ActrId, proto::TurnCredential};
use data_encoding::BASE64;
use ring::hmac;
use thiserror::Error;
use tracing::warn;

/// Whoever has one credential can try secrets at home: a shorter one is found.
const MIN_SECRET_LEN: usize = 16;

/// The most bytes of a secret's file.
const MAX_FILE_LEN: u64 = 4 << 10;

/// The most relays: a node tries them all, and two or three ways to one machine are usual.
pub const MAX_TURN_URLS: usize = 8;

/// The relays that nodes may use, and what they share with the registry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TurnRelays {
    /// Where they are, as nodes are told; at most [`MAX_TURN_URLS`].
    pub urls: Vec<TurnUrl>,
    /// coturn's `static-auth-secret`.
    pub secret: TurnSecret,
}

/// What a registry and its relays share. Its `Debug` does not show it.
#[derive(Clone, PartialEq, Eq)]
pub struct TurnSecret(Box<[u8]>);

/// Why a secret can't be loaded. It never shows the secret.
#[derive(Debug, Error)]
pub enum LoadTurnSecretError {
    /// The file can't be read.
    #[error("{key}: {}: {error}; write coturn's static-auth-secret into it", .path.display())]
    Read {
        /// What names the file.
        key: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
    /// It might be guessed.
    #[error(
        "{key}: {}: coturn's static-auth-secret has {MIN_SECRET_LEN} bytes or more here, because whoever has a credential can \
         try secrets; openssl rand -hex 32 makes one",
        .path.display()
    )]
    Short {
        /// What names the file.
        key: &'static str,
        /// The file.
        path: PathBuf,
    },
}

impl TurnSecret {
    /// Reads it from a file that `key`, an option or a key of Actr.toml, names. The log says so if others can read it too.
    ///
    /// # Errors
    /// When the file can't be read, or what it has is too short.
    pub fn load(key: &'static str, path: &Path) -> Result<Self, LoadTurnSecretError> {
        let path_buf = || path.to_path_buf();
        let read = secret_file::read(path, MAX_FILE_LEN);
        let Content { mut bytes, exposed } = read.map_err(|error| LoadTurnSecretError::Read {
            key,
            path: path_buf(),
            error,
        })?;
        if let Some(exposed) = exposed {
            warn!("{key}: {exposed}");
        }
        // Editors end a file with a newline, which is not part of the secret.
        while bytes.last().is_some_and(|byte| b"\r\n".contains(byte)) {
            bytes.pop();
        }
        match bytes.len() {
            ..MIN_SECRET_LEN => Err(LoadTurnSecretError::Short { key, path: path_buf() }),
            _ => Ok(Self(bytes.into())),
        }
    }
}

impl fmt::Debug for TurnSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TurnSecret")
    }
}

impl TurnRelays {
    /// What a node shows to the relays until `expires_at`, in Unix seconds. They make the same of its user name, so that they
    /// need to know no node.
    pub(crate) fn credential(&self, id: &ActrId, expires_at: u64) -> TurnCredential {
        let username = format!("{expires_at}:{id}");
        // The scheme's own; HMAC does not need of SHA-1 what SHA-1 lacks.
        let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, &self.secret.0);
        let password = BASE64.encode(hmac::sign(&key, username.as_bytes()).as_ref());
        TurnCredential {
            username,
            password,
            expires_at,
        }
    }

    /// Where they are, as nodes are told.
    pub(crate) fn told(&self) -> Vec<String> {
        self.urls.iter().map(TurnUrl::to_string).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_credential_is_the_one_that_coturn_computes() {
        let relays = TurnRelays {
            urls: vec!["turn:192.0.2.1".parse().unwrap()],
            secret: TurnSecret(b"north-of-the-wall".as_slice().into()),
        };
        let id: ActrId = "1@7/acme:Node:1.0.0".parse().unwrap();
        let credential = relays.credential(&id, 1_700_000_000);
        assert_eq!(credential.username, "1700000000:1@7/acme:Node:1.0.0");
        // printf %s "$username" | openssl dgst -sha1 -hmac north-of-the-wall -binary | base64
        assert_eq!(credential.password, "P4BVz+1FKFuzip5b//WXsD1HJe0=");
        assert_eq!(credential.expires_at, 1_700_000_000);
        assert_eq!(relays.told(), ["turn:192.0.2.1:3478"]);
    }

    #[test]
    fn a_secret_that_might_be_guessed_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        std::fs::write(&path, "hunter2\n").unwrap();
        let error = TurnSecret::load("--turn-secret-file", &path).unwrap_err().to_string();
        assert!(error.contains("openssl") && !error.contains("hunter2"), "{error}");
        std::fs::write(&path, "north-of-the-wall\r\n").unwrap();
        let secret = TurnSecret::load("--turn-secret-file", &path).unwrap();
        assert_eq!(secret.0.as_ref(), b"north-of-the-wall");
    }
}
