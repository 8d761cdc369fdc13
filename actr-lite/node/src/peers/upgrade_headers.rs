/// The header by which a node that speaks the extension asks that the connection be kept when nobody uses it.
pub(crate) const KEEP_OPEN_HEADER: &str = "x-actr-lite-keep-open";

/// The header that names who dials: hex of the encoded id.
pub(crate) const SOURCE_HEADER: &str = "x-actr-source-id";

/// The header that proves it: base64 of the encoded credential.
pub(crate) const CREDENTIAL_HEADER: &str = "x-actr-credential";
