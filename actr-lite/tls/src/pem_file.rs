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

/// What says that a private key is encrypted: PKCS#8, and what OpenSSL wrote before (RFC 1421 §4.6.1.1).
const ENCRYPTED: [&[u8]; 2] = [b"-----BEGIN ENCRYPTED PRIVATE KEY-----", b"Proc-Type: 4,ENCRYPTED"];

/// Of UTF-8, and of UTF-16 in both orders.
const BYTE_ORDER_MARKS: [&[u8]; 3] = [b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff"];

/// A file with certificates or a private key as PEM (RFC 7468), and where it was named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PemFile {
    name: &'static str,
    path: PathBuf,
}

impl PemFile {
    /// The file at `path`; `name` is the key or the option that named it.
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
        if ENCRYPTED.iter().any(|mark| contains(&bytes, mark)) {
            return Err(TlsFileError::EncryptedKey { file: self.clone() });
        }
        PrivateKeyDer::from_pem_slice(&bytes).map_err(|error| match error {
            pem::Error::NoItemsFound => self.lacks("private key", "PRIVATE KEY"),
            error => self.malformed(&error),
        })
    }

    fn read(&self) -> Result<Content, TlsFileError> {
        let content = secret_file::read(&self.path, MAX_PEM_LEN).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => TlsFileError::NotFound(self.clone()),
            io::ErrorKind::FileTooLarge => TlsFileError::TooLarge(self.clone()),
            _ => TlsFileError::Unreadable(self.clone(), error),
        })?;
        if BYTE_ORDER_MARKS.iter().any(|mark| content.bytes.starts_with(mark)) {
            return Err(TlsFileError::ByteOrderMark(self.clone()));
        }
        Ok(content)
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
            pem::Error::MissingSectionEnd { .. } => "a section has no end".to_owned(),
            pem::Error::IllegalSectionStart { .. } => "a section does not begin as it should".into(),
            pem::Error::Base64Decode(_) => "a section is not base64".into(),
            pem::Error::Io(error) => error.to_string(),
            _ => "it cannot be read".into(),
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

fn contains(text: &[u8], mark: &[u8]) -> bool {
    text.windows(mark.len()).any(|window| window == mark)
}
