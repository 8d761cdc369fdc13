use std::path::PathBuf;

use serde::{Deserialize, Deserializer, de::Error};

/// `[system.tls]`: the PEM files of a node that speaks TLS. Relative paths are relative to the folder of the file that
/// names them; what is in the files is not looked at here.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tls {
    /// `cert` and `key`, both or neither: with them the data lane accepts only TLS.
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

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Section {
    cert: Option<PathBuf>,
    key: Option<PathBuf>,
    ca: Option<PathBuf>,
}

impl<'de> Deserialize<'de> for Tls {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Section { cert, key, ca } = Section::deserialize(deserializer)?;
        let identity = match (cert, key) {
            (Some(cert), Some(key)) => Some(TlsIdentity { cert, key }),
            (None, None) => None,
            (Some(_), None) => return Err(D::Error::missing_field("key")),
            (None, Some(_)) => return Err(D::Error::missing_field("cert")),
        };
        Ok(Self { identity, ca })
    }
}
