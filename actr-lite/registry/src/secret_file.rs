//! Files that only their owner should read.

use std::fs::Metadata;

/// Whether others than its owner may do anything with a file.
#[cfg(unix)]
pub fn is_exposed(metadata: &Metadata) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    metadata.permissions().mode() & 0o077 != 0
}

/// Nothing is known of others here.
#[cfg(not(unix))]
pub fn is_exposed(_metadata: &Metadata) -> bool {
    false
}
