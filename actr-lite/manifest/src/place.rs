use std::{fmt, path::Path, sync::Arc};

use crate::shell_word::shell_word;

/// Where a key or a value comes from.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// A file; without a position when what is meant is not in it.
    File {
        /// The file, as it was named.
        path: Arc<Path>,
        /// Where in the file.
        position: Option<Position>,
    },
    /// An override, by its text: `KEY=VALUE`.
    Override(Arc<str>),
}

impl Place {
    pub(crate) fn in_file(path: &Path) -> Self {
        Self::File {
            path: path.into(),
            position: None,
        }
    }

    /// A byte of a file's text.
    pub(crate) fn in_text(path: &Path, text: &[u8], offset: usize) -> Self {
        Self::File {
            path: path.into(),
            position: Some(Position::of(text, offset)),
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { path, position: None } => write!(f, "{}", path.display()),
            Self::File {
                path,
                position: Some(Position { line, column }),
            } => write!(f, "{}:{line}:{column}", path.display()),
            Self::Override(text) => write!(f, "--config {}", shell_word(text)),
        }
    }
}

/// A line and a column, both counted from 1; columns are characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// The line.
    pub line: usize,
    /// The character in the line.
    pub column: usize,
}

impl Position {
    /// The position of a byte of a UTF-8 text, or the end of a text that is shorter.
    fn of(text: &[u8], offset: usize) -> Self {
        let mut position = Self { line: 1, column: 1 };
        for byte in text.get(..offset).unwrap_or(text) {
            match byte {
                b'\n' => (position.line, position.column) = (position.line + 1, 1),
                // The further bytes of a character.
                0x80..0xc0 => {}
                _ => position.column += 1,
            }
        }
        position
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_and_columns_count_from_one_and_columns_are_characters() {
        let text = "ab\nüx".as_bytes();
        assert_eq!(Position::of(text, 0), Position { line: 1, column: 1 });
        assert_eq!(Position::of(text, 2), Position { line: 1, column: 3 });
        assert_eq!(Position::of(text, 3), Position { line: 2, column: 1 });
        assert_eq!(Position::of(text, 5), Position { line: 2, column: 2 });
        assert_eq!(Position::of(text, 99), Position { line: 2, column: 3 });
    }
}
