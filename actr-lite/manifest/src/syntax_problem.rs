use crate::shown;

/// What the parser says, on one line.
pub(crate) fn syntax_problem(text: &str, error: &toml::de::Error) -> String {
    let message = error.message().lines().collect::<Vec<_>>().join(", ");
    match error.span().and_then(|span| text.get(span)) {
        None | Some("") => message,
        Some(found) => format!("{message}, found {}", shown::text(found)),
    }
}
