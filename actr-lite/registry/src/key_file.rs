//! Where a registry keeps its signing keys, so that what they signed stays valid after a restart.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use actr_lite_files::regular as regular_file;
use actr_lite_files::secret::{self as secret_file, Exposed};
use data_encoding::{HEXLOWER, HEXLOWER_PERMISSIVE};
use serde::{Deserialize, Serialize};
use tempfile::NamedTempFile;
use thiserror::Error;

use crate::key_ring::{Key, KeyRing, MAX_KEYS};

const FILE_NAME: &str = "signing-keys.toml";

const LOCK_NAME: &str = "lock";

const HEADER: &str =
    "# The signing keys of a registry, written by it. With them one can pose as any node: keep them secret.\n";

/// The most bytes of the file: many times what [`MAX_KEYS`] keys have.
const MAX_LEN: u64 = 64 * 1024;

/// Why the keys can't be kept in a directory.
#[derive(Debug, Error)]
pub enum KeyFileError {
    /// The system refuses.
    #[error("the registry's data_dir: {path}: {error}")]
    Io {
        /// Which file or directory.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
    /// Another registry keeps its keys there.
    #[error("the registry's data_dir: another registry uses {0}; give each its own")]
    InUse(PathBuf),
    /// Others get at the directory or the file.
    #[error(
        "the registry's data_dir: {0}; or name another one, if somebody may have used what is in it: the registry then makes \
         new keys, and all nodes register again"
    )]
    Exposed(Exposed),
    /// It does not hold keys.
    #[error(
        "the registry's data_dir: {path} does not hold 1 to {MAX_KEYS} signing keys; restore it, or remove it: the registry \
         then makes new keys, and all nodes register again"
    )]
    Content {
        /// The file.
        path: PathBuf,
    },
}

/// The file with a registry's keys. No other registry uses it as long as this is there.
#[derive(Debug)]
pub(crate) struct KeyFile {
    directory: PathBuf,
    _lock: File,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Content {
    key: Vec<StoredKey>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredKey {
    id: u32,
    /// 64 hex digits.
    secret: String,
    since: u64,
}

impl StoredKey {
    fn into_key(self) -> Option<Key> {
        let secret = HEXLOWER_PERMISSIVE.decode(self.secret.as_bytes()).ok()?;
        Some(Key {
            id: self.id,
            secret: secret.try_into().ok()?,
            since: self.since,
        })
    }
}

impl From<&Key> for StoredKey {
    fn from(key: &Key) -> Self {
        Self {
            id: key.id,
            secret: HEXLOWER.encode(&key.secret),
            since: key.since,
        }
    }
}

impl KeyFile {
    /// Takes a directory into use; it is made if it is not there.
    pub(crate) fn open(directory: &Path) -> Result<Self, KeyFileError> {
        create_directory(directory).map_err(failed(directory))?;
        if let Some(exposed) = secret_file::check_folder(directory).map_err(failed(directory))? {
            return Err(KeyFileError::Exposed(exposed));
        }
        let path = directory.join(LOCK_NAME);
        let mut options = OpenOptions::new();
        options.create(true).truncate(false).write(true);
        // Whoever can open it can keep it locked.
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let lock = regular_file::open(&mut options, &path).map_err(failed(&path))?;
        match lock.try_lock() {
            Ok(()) => Ok(Self {
                directory: directory.into(),
                _lock: lock,
            }),
            Err(TryLockError::WouldBlock) => Err(KeyFileError::InUse(directory.into())),
            Err(TryLockError::Error(error)) => Err(failed(&path)(error)),
        }
    }

    /// Whether a directory can be used, and its keys too. One that is not there can be made; nothing is made here.
    pub(crate) fn check(directory: &Path) -> Result<(), KeyFileError> {
        match secret_file::check_folder(directory) {
            Ok(Some(exposed)) => Err(KeyFileError::Exposed(exposed)),
            Ok(None) => {
                Self::read(directory)?;
                regular_file::check_writable(directory).map_err(failed(directory))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                regular_file::check_creatable(directory).map_err(failed(directory))
            }
            Err(error) => Err(failed(directory)(error)),
        }
    }

    fn path(&self) -> PathBuf {
        self.directory.join(FILE_NAME)
    }

    /// The keys in it; `None` if there is no file yet.
    pub(crate) fn load(&self) -> Result<Option<KeyRing>, KeyFileError> {
        Self::read(&self.directory)
    }

    fn read(directory: &Path) -> Result<Option<KeyRing>, KeyFileError> {
        let path = directory.join(FILE_NAME);
        let unusable = || KeyFileError::Content { path: path.clone() };
        let content = match secret_file::read(&path, MAX_LEN) {
            Ok(content) => content,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) if error.kind() == io::ErrorKind::FileTooLarge => return Err(unusable()),
            Err(error) => return Err(failed(&path)(error)),
        };
        if let Some(exposed) = content.exposed {
            return Err(KeyFileError::Exposed(exposed));
        }
        let text = String::from_utf8(content.bytes).map_err(|_| unusable())?;
        let Content { key } = toml::from_str(&text).map_err(|_| unusable())?;
        let keys: Option<Vec<_>> = key.into_iter().map(StoredKey::into_key).collect();
        keys.and_then(KeyRing::from_keys).map(Some).ok_or_else(unusable)
    }

    /// Puts the keys in the place of those in it: whenever the machine stops, either these or those are there.
    pub(crate) fn save(&self, ring: &KeyRing) -> Result<(), KeyFileError> {
        let path = self.path();
        let key = ring.keys().iter().map(StoredKey::from).collect();
        let write = || {
            let text = toml::to_string(&Content { key }).map_err(io::Error::other)?;
            // Made so that only its owner can read it.
            let mut file = NamedTempFile::new_in(&self.directory)?;
            file.write_all(HEADER.as_bytes())?;
            file.write_all(text.as_bytes())?;
            file.as_file().sync_all()?;
            file.persist(&path).map_err(|error| error.error)?;
            File::open(&self.directory)?.sync_all()
        };
        write().map_err(failed(&path))
    }
}

fn failed(path: &Path) -> impl Fn(io::Error) -> KeyFileError {
    let path = path.to_path_buf();
    move |error| KeyFileError::Io {
        path: path.clone(),
        error,
    }
}

#[cfg(unix)]
fn create_directory(directory: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;
    fs::DirBuilder::new().recursive(true).mode(0o700).create(directory)
}

#[cfg(not(unix))]
fn create_directory(directory: &Path) -> io::Result<()> {
    fs::create_dir_all(directory)
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn ring() -> KeyRing {
        let key = |id, since| Key {
            id,
            secret: [id as u8; 32],
            since,
        };
        KeyRing::from_keys(vec![key(7, 100), key(9, 200)]).unwrap()
    }

    #[test]
    fn keys_survive_in_a_file_that_only_its_owner_can_read() {
        let folder = tempfile::tempdir().unwrap();
        let directory = folder.path().join("new/data");
        let file = KeyFile::open(&directory).unwrap();
        assert_eq!(file.load().unwrap(), None);
        file.save(&ring()).unwrap();
        file.save(&ring()).unwrap();
        assert_eq!(file.load().unwrap(), Some(ring()));
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&file.path()), mode(&directory)), (0o600, 0o700));
        assert_eq!(mode(&directory.join(LOCK_NAME)), 0o600);
        let names = fs::read_dir(&directory).unwrap().count();
        assert_eq!(names, 2, "the keys, the lock, and nothing left over");
    }

    #[test]
    fn a_readable_or_invalid_key_file_is_refused_with_a_remedy() {
        let folder = tempfile::tempdir().unwrap();
        let file = KeyFile::open(folder.path()).unwrap();
        file.save(&ring()).unwrap();
        let path = file.path();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        let error = file.load().unwrap_err().to_string();
        assert!(error.contains(&format!("chmod 600 {}", path.display())), "{error}");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        let good = fs::read_to_string(&path).unwrap();
        for text in [
            "",
            "key = []",
            "[[key]]\nid = 1",
            &format!("{good}{good}"),
            &good[..good.len() - 5],
            "\u{0}",
        ] {
            fs::write(&path, text).unwrap();
            let error = file.load().unwrap_err();
            assert!(matches!(error, KeyFileError::Content { .. }), "{text:?}: {error}");
            assert!(error.to_string().contains("or remove it"), "{error}");
        }
        fs::write(&path, [0xff; 100]).unwrap();
        assert!(matches!(file.load(), Err(KeyFileError::Content { .. })));
    }

    #[test]
    fn a_directory_that_others_can_write_to_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        for mode in [0o2770, 0o777] {
            fs::set_permissions(folder.path(), fs::Permissions::from_mode(mode)).unwrap();
            let error = KeyFile::open(folder.path()).unwrap_err().to_string();
            let remedy = format!("chmod 700 {}", folder.path().display());
            assert!(error.contains(&remedy) && error.contains("fsGroup"), "{error}");
            assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
        }
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        assert!(KeyFile::open(folder.path()).is_ok());
    }

    #[test]
    fn two_registries_do_not_share_a_directory() {
        let folder = tempfile::tempdir().unwrap();
        let first = KeyFile::open(folder.path()).unwrap();
        assert!(matches!(KeyFile::open(folder.path()), Err(KeyFileError::InUse(_))));
        drop(first);
        assert!(KeyFile::open(folder.path()).is_ok());
    }
}
