use std::borrow::Cow;

/// Keys with dots between them, as an error names a value.
pub(crate) fn key_path<T: AsRef<str>>(keys: impl IntoIterator<Item = T>) -> String {
    keys.into_iter()
        .fold(String::new(), |section, key| dotted(&section, key.as_ref()))
}

/// A key with its section before it.
pub(crate) fn dotted(section: &str, key: &str) -> String {
    let key = bare_or_quoted(key);
    if section.is_empty() {
        return key.into_owned();
    }
    format!("{section}.{key}")
}

/// A key as TOML writes it.
fn bare_or_quoted(key: &str) -> Cow<'_, str> {
    let bare = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if !key.is_empty() && key.chars().all(bare) {
        return key.into();
    }
    format!("{key:?}").into()
}
