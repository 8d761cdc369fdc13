use std::path::{Path, PathBuf};

use crate::{ManifestError, section::Section};

/// `[system.tls]`: the PEM files of a node that speaks TLS. Relative paths are relative to the folder of the file that
/// names them; what is in the files is not looked at here.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tls {
    /// `cert` and `key`, both or neither: with them the data lane accepts nothing but TLS.
    pub identity: Option<TlsIdentity>,
    /// `ca`: the CAs that are trusted when this node connects to others; the system's own if it is absent.
    pub ca: Option<PathBuf>,
}

/// Who a node is to those who connect to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsIdentity {
    /// `cert`: its certificate, with those that lead to its CA behind it if there are any.
    pub cert: PathBuf,
    /// `key`: the certificate's private key.
    pub key: PathBuf,
}

impl Tls {
    pub(crate) fn read(section: &Section<'_>, folder: &Path) -> Result<Self, ManifestError> {
        let path = |key| section.path(key, folder, "a PEM file");
        let identity = match (path("cert")?, path("key")?) {
            (Some(cert), Some(key)) => Some(TlsIdentity { cert, key }),
            (None, None) => None,
            (Some(_), None) => return Err(section.missing("key", r#"key = "certs/key.pem""#)),
            (None, Some(_)) => return Err(section.missing("cert", r#"cert = "certs/cert.pem""#)),
        };
        Ok(Self {
            identity,
            ca: path("ca")?,
        })
    }
}
