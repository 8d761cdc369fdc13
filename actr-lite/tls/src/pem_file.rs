use std::{
    fmt, io,
    path::{Path, PathBuf},
};

use actr_lite_secret_file::{self as secret_file, Content};
use rustls_pki_types::{
    CertificateDer, PrivateKeyDer,
    pem::{self, PemObject},
};
use tracing::warn;

use crate::TlsFileError;

/// The most bytes of a PEM file that are read: four times what a system's own list of CAs has.
pub const MAX_PEM_LEN: u64 = 1 << 20;

/// A file with certificates or a private key as PEM (RFC 7468), and where it was named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PemFile {
    name: &'static str,
    path: PathBuf,
}

impl PemFile {
    /// The file at `path`; `name` is the key or the option by which somebody has named it.
    pub fn new(name: &'static str, path: impl Into<PathBuf>) -> Self {
        Self {
            name,
            path: path.into(),
        }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// All certificates, at least one.
    pub(crate) fn certificates(&self) -> Result<Vec<CertificateDer<'static>>, TlsFileError> {
        let text = self.read()?.bytes;
        let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
        match certificates {
            Ok(certificates) if certificates.is_empty() => Err(self.lacks("certificate", "CERTIFICATE")),
            Ok(certificates) => Ok(certificates),
            Err(error) => Err(self.malformed(&error)),
        }
    }

    /// The first private key. That others get at it is only told in the log.
    pub(crate) fn private_key(&self) -> Result<PrivateKeyDer<'static>, TlsFileError> {
        let Content { bytes, exposed } = self.read()?;
        if let Some(exposed) = exposed {
            warn!("{}: {exposed}", self.name);
        }
        PrivateKeyDer::from_pem_slice(&bytes).map_err(|error| match error {
            pem::Error::NoItemsFound => self.lacks("unencrypted private key", "PRIVATE KEY"),
            error => self.malformed(&error),
        })
    }

    fn read(&self) -> Result<Content, TlsFileError> {
        secret_file::read(&self.path, MAX_PEM_LEN).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => TlsFileError::NotFound(self.clone()),
            io::ErrorKind::FileTooLarge => TlsFileError::TooLarge(self.clone()),
            _ => TlsFileError::Unreadable(self.clone(), error),
        })
    }

    fn lacks(&self, what: &'static str, section: &'static str) -> TlsFileError {
        TlsFileError::Lacks {
            file: self.clone(),
            what,
            section,
        }
    }

    fn malformed(&self, error: &pem::Error) -> TlsFileError {
        let problem = match error {
            pem::Error::MissingSectionEnd { .. } => "a section has no end".into(),
            pem::Error::IllegalSectionStart { .. } => "a section does not begin as it should".into(),
            pem::Error::Base64Decode(problem) => format!("a section is not base64 ({problem})"),
            other => other.to_string(),
        };
        TlsFileError::Malformed {
            file: self.clone(),
            problem,
        }
    }
}

impl fmt::Display for PemFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.path.display(), self.name)
    }
}
