use std::io;

use thiserror::Error;

use crate::pem_file::PemFile;

/// Why TLS can't be set up from its files: one line that says which file, what is wrong, and what to do.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum TlsFileError {
    /// There is no such file.
    #[error(
        "{0}: no such file: correct the path, or make certificates for development with cargo dev-certs --out certs"
    )]
    NotFound(PemFile),
    /// It can't be read.
    #[error("{0}: cannot be read: {1}")]
    Unreadable(PemFile, #[source] io::Error),
    /// It is longer than [`MAX_PEM_LEN`](crate::MAX_PEM_LEN).
    #[error("{file}: larger than {limit} bytes, the most that is read: is this the right file?")]
    TooLarge {
        /// The file.
        file: PemFile,
        /// The most bytes that are read.
        limit: u64,
    },
    /// The section is not in it.
    #[error("{file}: no {what} in it: it has to be a PEM file, with a section -----BEGIN {section}-----")]
    Lacks {
        /// The file.
        file: PemFile,
        /// What is expected.
        what: &'static str,
        /// The name of its PEM section.
        section: &'static str,
    },
    /// The private key in it is encrypted.
    #[error(
        "{file}: its private key is encrypted, and nobody is there to ask for its password: write it without one to another \
         file, which only this program's user may read (openssl pkey -in {path} -out plain-key.pem), and name that",
        path = file.path().display()
    )]
    EncryptedKey {
        /// The file.
        file: PemFile,
    },
    /// It begins with a byte order mark.
    #[error(
        "{0}: it begins with a byte order mark, as some editors of Windows write it: save it as plain ASCII, or as UTF-8 \
         without a BOM"
    )]
    ByteOrderMark(PemFile),
    /// It is damaged.
    #[error("{file}: not valid PEM: {problem}: copy the file again, or make another one")]
    Malformed {
        /// The file.
        file: PemFile,
        /// What is wrong.
        problem: String,
    },
    /// A section of it holds something unexpected.
    #[error("{file}: {problem}: make another one, for instance with cargo dev-certs --out certs")]
    Unusable {
        /// The file.
        file: PemFile,
        /// What is wrong.
        problem: String,
    },
    /// Certificate and key don't belong together.
    #[error("{key}: not the private key of the certificate in {cert}: name two files that were made together")]
    KeyMismatch {
        /// The certificate.
        cert: PemFile,
        /// The key.
        key: PemFile,
    },
    /// The system has no CAs.
    #[error("this system has no CA certificates that can be read{0}: name a file of those to trust in system.tls.ca")]
    NoSystemRoots(String),
    /// The TLS library refuses.
    #[error("TLS cannot be set up: {0}")]
    Setup(String),
}

impl TlsFileError {
    /// The file that it is about, if it is about one.
    pub fn file(&self) -> Option<&PemFile> {
        match self {
            Self::NotFound(file)
            | Self::Unreadable(file, _)
            | Self::TooLarge { file, .. }
            | Self::Lacks { file, .. }
            | Self::EncryptedKey { file }
            | Self::ByteOrderMark(file)
            | Self::Malformed { file, .. }
            | Self::Unusable { file, .. }
            | Self::KeyMismatch { key: file, .. } => Some(file),
            Self::NoSystemRoots(_) | Self::Setup(_) => None,
        }
    }
}
