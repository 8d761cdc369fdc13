use http::header::{HeaderMap, HeaderName};

/// The header by which a node that speaks the extension asks that the connection be kept when nobody uses it.
pub(super) const KEEP_OPEN_HEADER: &str = "x-actr-lite-keep-open";

/// The header that names who dials: hex of the encoded id.
pub(super) const SOURCE_HEADER: &str = "x-actr-source-id";

/// The header that proves it: base64 of the encoded credential.
pub(super) const CREDENTIAL_HEADER: &str = "x-actr-credential";

/// Whether a comma-separated header has this token, in whatever case.
pub(super) fn has_token(headers: &HeaderMap, name: HeaderName, token: &str) -> bool {
    let values = headers
        .get_all(name)
        .into_iter()
        .filter_map(|value| value.to_str().ok());
    values
        .flat_map(|value| value.split(','))
        .any(|value| value.trim().eq_ignore_ascii_case(token))
}
