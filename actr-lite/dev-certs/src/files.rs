use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use thiserror::Error;

use crate::ca::{DevCa, DevCert};

/// The CA's certificate.
pub const CA_FILE: &str = "ca.pem";

/// The server's certificate.
pub const CERT_FILE: &str = "cert.pem";

/// The server's private key.
pub const KEY_FILE: &str = "key.pem";

/// Keeps all that is in a directory which was made for certificates out of Git.
const IGNORE_ALL: &str = "*\n";

/// Where the files are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DevCertFiles {
    /// The CA's certificate, for `system.tls.ca`.
    pub ca: PathBuf,
    /// The server's certificate, for `system.tls.cert`.
    pub cert: PathBuf,
    /// The server's private key, which only its owner can read, for `system.tls.key`.
    pub key: PathBuf,
}

/// Why the files were not written.
#[derive(Debug, Error)]
pub enum WriteError {
    /// One is there already.
    #[error("{} is there already, and nothing was written: name another directory, or replace it with --force", .0.display())]
    Exists(PathBuf),
    /// The system refuses.
    #[error("{}: cannot be written: {error}", path.display())]
    Io {
        /// What was to be written.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
}

/// Writes the three files into `directory`, and makes it if it is not there. What is there already is replaced only with
/// `force`: each file as a whole, so that nobody reads half of one.
///
/// # Errors
/// When a file is there already, or can't be written.
pub fn write(directory: &Path, ca: &DevCa, cert: &DevCert, force: bool) -> Result<DevCertFiles, WriteError> {
    let files = DevCertFiles {
        ca: directory.join(CA_FILE),
        cert: directory.join(CERT_FILE),
        key: directory.join(KEY_FILE),
    };
    let existing = [&files.ca, &files.cert, &files.key]
        .into_iter()
        .find(|path| path.symlink_metadata().is_ok());
    if !force && let Some(existing) = existing {
        return Err(WriteError::Exists(existing.clone()));
    }
    let is_new = !directory.exists();
    fs::create_dir_all(directory).map_err(|error| WriteError::Io {
        path: directory.into(),
        error,
    })?;
    if is_new {
        // A directory that was there before may hold more than certificates.
        put(&directory.join(".gitignore"), IGNORE_ALL, Readers::All)?;
    }
    put(&files.ca, &ca.pem(), Readers::All)?;
    put(&files.cert, &cert.cert_pem, Readers::All)?;
    put(&files.key, &cert.key_pem, Readers::Owner)?;
    Ok(files)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Readers {
    All,
    Owner,
}

fn put(path: &Path, text: &str, readers: Readers) -> Result<(), WriteError> {
    let new = path.with_extension("new");
    let write = || -> io::Result<()> {
        // A file of an earlier run may have other permissions.
        if let Err(error) = fs::remove_file(&new)
            && error.kind() != io::ErrorKind::NotFound
        {
            return Err(error);
        }
        create(&new, readers)?.write_all(text.as_bytes())?;
        fs::rename(&new, path)
    };
    write().map_err(|error| WriteError::Io {
        path: path.into(),
        error,
    })
}

fn create(path: &Path, readers: Readers) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    if readers == Readers::Owner {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600);
    }
    options.open(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_overwritten_unless_somebody_says_so() {
        let folder = tempfile::tempdir().unwrap();
        let directory = folder.path().join("a/certs");
        let ca = DevCa::new().unwrap();
        let cert = ca.issue(["localhost", "127.0.0.1"]).unwrap();
        let files = write(&directory, &ca, &cert, false).unwrap();
        assert!(fs::read_to_string(&files.ca).unwrap().contains("BEGIN CERTIFICATE"));
        assert!(fs::read_to_string(&files.cert).unwrap().contains("BEGIN CERTIFICATE"));
        let key = fs::read_to_string(&files.key).unwrap();
        assert!(key.contains("BEGIN PRIVATE KEY"));
        assert_eq!(fs::read_to_string(directory.join(".gitignore")).unwrap(), "*\n");

        let other = ca.issue(["localhost"]).unwrap();
        let error = write(&directory, &ca, &other, false).err().unwrap();
        assert!(error.to_string().contains("--force"), "{error}");
        assert_eq!(fs::read_to_string(&files.key).unwrap(), key);
        write(&directory, &ca, &other, true).unwrap();
        assert_ne!(fs::read_to_string(&files.key).unwrap(), key);
        assert_eq!(fs::read_dir(&directory).unwrap().count(), 4, "no file is left over");
    }

    #[cfg(unix)]
    #[test]
    fn only_its_owner_can_read_the_key() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let ca = DevCa::new().unwrap();
        let cert = ca.issue(["localhost"]).unwrap();
        for force in [false, true] {
            let files = write(folder.path(), &ca, &cert, force).unwrap();
            let mode = |path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
            assert_eq!(mode(&files.key), 0o600);
            assert_eq!(mode(&files.cert) & 0o400, 0o400);
            // As after a careless copy.
            fs::set_permissions(&files.key, fs::Permissions::from_mode(0o644)).unwrap();
        }
        assert!(
            !folder.path().join(".gitignore").exists(),
            "the directory was there before"
        );
    }

    #[test]
    fn what_is_no_host_is_refused() {
        let error = DevCa::new().unwrap().issue(["ümlaut"]).err().unwrap();
        assert!(error.to_string().contains("a certificate for ümlaut"), "{error}");
    }
}
