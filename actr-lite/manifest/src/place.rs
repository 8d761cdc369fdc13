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

    /// The same file at a byte offset of its text; an override has no finer place than itself.
    pub(crate) fn at(&self, text: &[u8], offset: usize) -> Self {
        match self {
            Self::File { path, .. } => Self::File {
                path: path.clone(),
                position: Some(Position::of(text, offset)),
            },
            Self::Override(_) => self.clone(),
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
    const START: Self = Self { line: 1, column: 1 };

    fn of(text: &[u8], offset: usize) -> Self {
        Self::START.behind(text.get(..offset).unwrap_or(text))
    }

    /// The position behind this UTF-8 text that begins here.
    fn behind(mut self, text: &[u8]) -> Self {
        for byte in text {
            match byte {
                b'\n' => (self.line, self.column) = (self.line + 1, 1),
                // The further bytes of a character.
                0x80..0xc0 => {}
                _ => self.column += 1,
            }
        }
        self
    }
}

/// A text that values are read from, and where it is from.
pub(crate) struct Source<'a> {
    pub(crate) text: &'a str,
    place: &'a Place,
    /// The position of each [`MARK_EVERY`]th byte.
    marks: Vec<Position>,
}

/// How many bytes are looked through to find a position. If it were all that precede it, the time that a file takes
/// would grow with the square of its length.
const MARK_EVERY: usize = 512;

impl<'a> Source<'a> {
    pub(crate) fn new(text: &'a str, place: &'a Place) -> Self {
        let chunks = text.as_bytes().chunks(MARK_EVERY);
        let marks = chunks.scan(Position::START, |next, chunk| {
            let mark = *next;
            *next = next.behind(chunk);
            Some(mark)
        });
        Self {
            text,
            place,
            marks: marks.collect(),
        }
    }

    /// The place of a byte of the text; an override has no finer place than itself.
    pub(crate) fn place(&self, offset: usize) -> Place {
        let Place::File { path, .. } = self.place else {
            return self.place.clone();
        };
        let offset = offset.min(self.text.len());
        let mark = offset / MARK_EVERY;
        let position = match self.marks.get(mark) {
            Some(position) => position.behind(&self.text.as_bytes()[mark * MARK_EVERY..offset]),
            None => Position::of(self.text.as_bytes(), offset),
        };
        Place::File {
            path: path.clone(),
            position: Some(position),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

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

    proptest! {
        #[test]
        fn marks_make_no_difference(text in "(ab|ü|\n){0,1500}", offset in 0..4000usize) {
            let place = Place::in_file(Path::new("Actr.toml"));
            let source = Source::new(&text, &place);
            prop_assert_eq!(source.place(offset), place.at(text.as_bytes(), offset));
        }
    }
}
