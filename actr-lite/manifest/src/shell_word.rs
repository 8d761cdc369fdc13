use std::borrow::Cow;

/// A text as one word of a shell's command line, and on one line whatever it holds.
pub(crate) fn shell_word(text: &str) -> Cow<'_, str> {
    let plain = |c: char| c.is_alphanumeric() || "-_./:=,@%+".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        return text.into();
    }
    if text.chars().any(char::is_control) {
        return format!("{text:?}").into();
    }
    if text.contains('\'') && !text.contains(['"', '$', '`', '\\', '!']) {
        return format!("\"{text}\"").into();
    }
    format!("'{}'", text.replace('\'', r"'\''")).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_quoted_only_where_a_shell_needs_it() {
        assert_eq!(shell_word("server/Actr.toml"), "server/Actr.toml");
        assert_eq!(shell_word("my files/Actr.toml"), "'my files/Actr.toml'");
        assert_eq!(shell_word("it's"), r#""it's""#);
        assert_eq!(shell_word("it's $5"), r"'it'\''s $5'");
        assert_eq!(shell_word("a\nb"), r#""a\nb""#);
        assert_eq!(shell_word(""), "''");
    }
}
