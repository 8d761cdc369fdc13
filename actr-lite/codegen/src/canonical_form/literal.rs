//! Numbers and texts of a proto file that proto-sign reads as others than protobuf does. A descriptor doesn't tell how
//! they were written.

use std::iter::Peekable;
use std::str::CharIndices;

use super::error::CanonicalFormError;

type Chars<'a> = Peekable<CharIndices<'a>>;

/// Checks that proto-sign reads each literal of a valid proto file as protobuf does.
pub(super) fn check(source: &str) -> Result<(), CanonicalFormError> {
    let line = |at: usize| 1 + source[..at].matches('\n').count();
    let mut chars = source.char_indices().peekable();
    while let Some((start, char)) = chars.next() {
        match char {
            '"' | '\'' => check_text(&mut chars, char).map_err(|at| CanonicalFormError::Escape { line: line(at) })?,
            '/' => skip_comment(&mut chars),
            _ if char.is_ascii_alphanumeric() || char == '_' => {
                let word = &source[start..end_of_word(&mut chars, char).unwrap_or(source.len())];
                if word.starts_with('0') && word[1..].starts_with(|next: char| next.is_ascii_digit()) {
                    return Err(CanonicalFormError::Octal { line: line(start) });
                }
            }
            _ => {}
        }
    }
    Ok(())
}

/// Goes to the end of a text; an error tells where an escape begins that is not read in the same way.
fn check_text(chars: &mut Chars<'_>, quote: char) -> Result<(), usize> {
    while let Some((start, char)) = chars.next() {
        if char == quote {
            break;
        }
        if char != '\\' {
            continue;
        }
        match chars.next() {
            Some((_, 'u' | 'U' | 'X')) => return Err(start),
            Some((_, '0'..='7')) => {
                for _ in 1..3 {
                    chars.next_if(|(_, char)| ('0'..='7').contains(char)).ok_or(start)?;
                }
            }
            _ => {}
        }
    }
    Ok(())
}

/// Skips a comment behind its first slash; a slash that begins none stands alone.
fn skip_comment(chars: &mut Chars<'_>) {
    if chars.next_if(|(_, char)| *char == '/').is_some() {
        chars.find(|(_, char)| *char == '\n');
    } else if chars.next_if(|(_, char)| *char == '*').is_some() {
        let mut last = ' ';
        while let Some((_, char)) = chars.next()
            && (last, char) != ('*', '/')
        {
            last = char;
        }
    }
}

/// Where a name or number ends, with the point and the signed exponent that a number may have; `None` at the end.
fn end_of_word(chars: &mut Chars<'_>, first: char) -> Option<usize> {
    let mut last = first;
    loop {
        let &(at, char) = chars.peek()?;
        let is_exponent = first.is_ascii_digit() && matches!((last, char), ('e' | 'E', '+' | '-'));
        if !(char.is_ascii_alphanumeric() || matches!(char, '_' | '.') || is_exponent) {
            return Some(at);
        }
        last = char;
        chars.next();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_octal_number_is_refused_with_its_line() {
        for (source, line) in [
            ("message M {\n  int32 a = 1;\n  int32 b = 010;\n}", 3),
            ("enum E { A = -017; }", 1),
            ("'//' 01", 1),
            ("/*\n*/01", 2),
        ] {
            assert_eq!(check(source), Err(CanonicalFormError::Octal { line }), "{source}");
        }
    }

    #[test]
    fn an_escape_that_is_read_in_two_ways_is_refused() {
        for source in [
            r"'\u00e9'",
            r"'\U000000e9'",
            r"'a\X41'",
            r"'\0'",
            r#""\18""#,
            r"'\\\7a'",
        ] {
            assert_eq!(check(source), Err(CanonicalFormError::Escape { line: 1 }), "{source}");
        }
    }

    #[test]
    fn other_numbers_names_texts_and_comments_pass() {
        for source in [
            "",
            "int32 a = 0; int32 b = 0x010; int32 c = 100;",
            "x01 _02 a.b03",
            "[default = 0.05] [default = 1e-05] [default = 2.E+07]",
            "'01' \"\\\"02\" 'it\\'s 03'",
            r"'\x41 \303\251 \n \\u \\0'",
            "// 01 '\\0'\n/* 02 * 03 **/ a / b",
        ] {
            assert_eq!(check(source), Ok(()), "{source}");
        }
    }
}
