use std::{
    fmt,
    path::{Path, PathBuf},
};

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

    /// The key or the option that named it.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl fmt::Display for PemFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.path.display(), self.name)
    }
}
