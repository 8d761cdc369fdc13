//! The tokens of a source file, as far as imports need them.

/// Words and punctuation, without comments and literals. Two colons are one token.
pub fn tokens(source: &str) -> Vec<String> {
    let mut tokens = Vec::new();
    let mut rest = source;
    while let Some(first) = rest.chars().next() {
        let len = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            rest.find("*/").map_or(rest.len(), |at| at + 2)
        } else if let Some(len) = literal_len(rest) {
            len
        } else if rest.starts_with("::") {
            tokens.push("::".into());
            2
        } else if is_word(first) {
            let len = rest.find(|other| !is_word(other)).unwrap_or(rest.len());
            tokens.push(rest[..len].into());
            len
        } else {
            if !first.is_whitespace() {
                tokens.push(first.into());
            }
            first.len_utf8()
        };
        rest = &rest[len..];
    }
    tokens
}

fn is_word(char: char) -> bool {
    char.is_alphanumeric() || char == '_'
}

/// The length of the string, byte string or character that this begins with.
fn literal_len(text: &str) -> Option<usize> {
    let prefix = text.find(|char| !matches!(char, 'b' | 'c' | 'r')).unwrap_or(text.len());
    if prefix > 2 {
        return None;
    }
    let (is_raw, body) = (text[..prefix].ends_with('r'), &text[prefix..]);
    if is_raw {
        let hashes = body.len() - body.trim_start_matches('#').len();
        let content = body[hashes..].strip_prefix('"')?;
        let end = format!("\"{}", "#".repeat(hashes));
        let len = content.find(&end).map_or(content.len(), |at| at + end.len());
        return Some(prefix + hashes + 1 + len);
    }
    if body.starts_with('"') {
        return Some(prefix + quoted_len(body, '"'));
    }
    // Otherwise it is a lifetime.
    let content = body.strip_prefix('\'')?;
    let first = content.chars().next()?;
    let is_char = first == '\\' || content[first.len_utf8()..].starts_with('\'');
    is_char.then(|| prefix + quoted_len(body, '\''))
}

/// The length of a literal that begins with this quote and ends with the next one that is not escaped.
fn quoted_len(text: &str, quote: char) -> usize {
    let mut is_escaped = false;
    for (at, char) in text.char_indices().skip(1) {
        if char == quote && !is_escaped {
            return at + 1;
        }
        is_escaped = char == '\\' && !is_escaped;
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_literals_are_left_out() {
        let source = r##"a // b
            "c \" d" 'e' '\'' b"f" r#"g"h"# 'life /* i */ x::y;"##;
        assert_eq!(tokens(source), ["a", "'", "life", "x", "::", "y", ";"]);
    }

    #[test]
    fn words_that_begin_like_literals_are_words() {
        assert_eq!(tokens("crate bar r b"), ["crate", "bar", "r", "b"]);
    }
}
