//! What is read out of a [`PemFile`].

use std::io;

use actr_lite_files::secret::{self as secret_file, Content};
use rustls_pki_types::{
    CertificateDer, PrivateKeyDer,
    pem::{self, PemObject},
};
use tracing::warn;

use crate::{file_error::TlsFileError, pem_file::PemFile};

/// The most bytes of a PEM file that are read: four times what a system's own list of CAs has.
pub const MAX_PEM_LEN: u64 = 1 << 20;

/// What says that a private key is encrypted: PKCS#8, and what OpenSSL wrote before (RFC 1421 §4.6.1.1).
const ENCRYPTED: [&[u8]; 2] = [b"-----BEGIN ENCRYPTED PRIVATE KEY-----", b"Proc-Type: 4,ENCRYPTED"];

/// Of UTF-8, and of UTF-16 in both orders.
const BYTE_ORDER_MARKS: [&[u8]; 3] = [b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff"];

/// All certificates, at least one.
pub(crate) fn certificates(file: &PemFile) -> Result<Vec<CertificateDer<'static>>, TlsFileError> {
    let text = read(file)?.bytes;
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
    match certificates {
        Ok(certificates) if certificates.is_empty() => Err(lacks(file, "certificate", "CERTIFICATE")),
        Ok(certificates) => Ok(certificates),
        Err(error) => Err(malformed(file, &error)),
    }
}

/// The first private key. That others get at it is only told in the log.
pub(crate) fn private_key(file: &PemFile) -> Result<PrivateKeyDer<'static>, TlsFileError> {
    let Content { bytes, exposed } = read(file)?;
    if let Some(exposed) = exposed {
        warn!("{}: {exposed}", file.name());
    }
    if ENCRYPTED.iter().any(|mark| contains(&bytes, mark)) {
        return Err(TlsFileError::EncryptedKey { file: file.clone() });
    }
    PrivateKeyDer::from_pem_slice(&bytes).map_err(|error| match error {
        pem::Error::NoItemsFound => lacks(file, "private key", "PRIVATE KEY"),
        error => malformed(file, &error),
    })
}

fn read(file: &PemFile) -> Result<Content, TlsFileError> {
    let content = secret_file::read(file.path(), MAX_PEM_LEN).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => TlsFileError::NotFound(file.clone()),
        io::ErrorKind::FileTooLarge => TlsFileError::TooLarge {
            file: file.clone(),
            limit: MAX_PEM_LEN,
        },
        _ => TlsFileError::Unreadable(file.clone(), error),
    })?;
    if BYTE_ORDER_MARKS.iter().any(|mark| content.bytes.starts_with(mark)) {
        return Err(TlsFileError::ByteOrderMark(file.clone()));
    }
    Ok(content)
}

fn lacks(file: &PemFile, what: &'static str, section: &'static str) -> TlsFileError {
    TlsFileError::Lacks {
        file: file.clone(),
        what,
        section,
    }
}

fn malformed(file: &PemFile, error: &pem::Error) -> TlsFileError {
    let problem = match error {
        pem::Error::MissingSectionEnd { .. } => "a section has no end".to_owned(),
        pem::Error::IllegalSectionStart { .. } => "a section does not begin as it should".into(),
        pem::Error::Base64Decode(_) => "a section is not base64".into(),
        pem::Error::Io(error) => error.to_string(),
        _ => "it cannot be read".into(),
    };
    TlsFileError::Malformed {
        file: file.clone(),
        problem,
    }
}

fn contains(text: &[u8], mark: &[u8]) -> bool {
    text.windows(mark.len()).any(|window| window == mark)
}
