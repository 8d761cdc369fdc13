//! Files that only their owner should read.

use std::fs::Metadata;

/// Whether anybody except its owner may access a file.
#[cfg(unix)]
pub fn is_exposed(metadata: &Metadata) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    metadata.permissions().mode() & 0o077 != 0
}

/// This system does not tell.
#[cfg(not(unix))]
pub fn is_exposed(_metadata: &Metadata) -> bool {
    false
}
