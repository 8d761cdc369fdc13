use std::{fmt, io, path::PathBuf};

use thiserror::Error;

use crate::place::Place;

/// Why a file of this crate can't be used: one line, for the person who wrote the file.
#[derive(Debug, Error)]
pub enum ManifestError {
    /// The file was not found.
    #[error("{}: no such file{}: give the path of an Actr.toml with --actr-toml", path.display(), Directories(looked_in))]
    NotFound {
        /// The path as given.
        path: PathBuf,
        /// The directories that a relative path was looked for in; empty when it was opened as it is.
        looked_in: Vec<PathBuf>,
    },
    /// The file exists but can't be read.
    #[error("{}: cannot be read: {error}", path.display())]
    Read {
        /// The path as given.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
    /// The path leads to a directory.
    #[error("{}: a directory: give the path of the file in it, like {}", path.display(), path.join("Actr.toml").display())]
    Directory {
        /// The path as given.
        path: PathBuf,
    },
    /// The file is longer than [`MAX_FILE_LEN`](crate::MAX_FILE_LEN).
    #[error("{}: larger than {limit} bytes, the most that is read: is this the right file?", path.display())]
    TooLarge {
        /// The path as given.
        path: PathBuf,
        /// The most bytes that are read.
        limit: usize,
    },
    /// The file is not text.
    #[error("{place}: not UTF-8 from here on: save the file as UTF-8 text")]
    NotUtf8 {
        /// The place of the first byte that is not UTF-8.
        place: Place,
    },
    /// The text is not TOML.
    #[error("{place}: not valid TOML: {problem}")]
    Syntax {
        /// Where.
        place: Place,
        /// What the parser expected.
        problem: String,
    },
    /// An unknown key.
    #[error("{place}: unknown key {key}: {}", Advice(nearest.as_deref(), known))]
    UnknownKey {
        /// The place of the key.
        place: Place,
        /// The key, with the sections it is in.
        key: String,
        /// The known key that was probably meant.
        nearest: Option<String>,
        /// The keys that its section may have.
        known: &'static [&'static str],
    },
    /// A required key is missing.
    #[error("{place}: {} is missing: add {}", Dotted(section, key), Addition { place, section, example })]
    MissingKey {
        /// The section, or the file when the section is missing too.
        place: Place,
        /// The section's name; empty at the top level.
        section: String,
        /// The key in that section.
        key: &'static str,
        /// A line that would be valid.
        example: &'static str,
    },
    /// A value of another type than its key's.
    #[error("{place}: {key}: expected {expected}, found {found}")]
    WrongType {
        /// The place of the value.
        place: Place,
        /// The key, with the sections it is in.
        key: String,
        /// What is expected.
        expected: String,
        /// The value that was found.
        found: String,
    },
    /// A value of the right type that is not valid.
    #[error("{place}: {key} = {found}: {problem}")]
    InvalidValue {
        /// The place of the value.
        place: Place,
        /// The key, with the sections it is in.
        key: String,
        /// The value that was found.
        found: String,
        /// What is wrong, and what would be right.
        problem: String,
    },
}

struct Directories<'a>(&'a [PathBuf]);

impl fmt::Display for Directories<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, directory) in self.0.iter().enumerate() {
            let joint = if index == 0 { " in" } else { " or" };
            write!(f, "{joint} {}", directory.display())?;
        }
        Ok(())
    }
}

struct Advice<'a>(Option<&'a str>, &'a [&'a str]);

impl fmt::Display for Advice<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(nearest) => write!(f, "did you mean {nearest}?"),
            None => write!(f, "known keys here are {}", self.1.join(", ")),
        }
    }
}

struct Dotted<'a>(&'a str, &'a str);

impl fmt::Display for Dotted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(section, key) = self;
        let dot = if section.is_empty() { "" } else { "." };
        write!(f, "{section}{dot}{key}")
    }
}

struct Addition<'a> {
    place: &'a Place,
    section: &'a str,
    example: &'a str,
}

impl fmt::Display for Addition<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            place,
            section,
            example,
        } = self;
        match place {
            _ if section.is_empty() => write!(f, "{example} above the first section"),
            Place::File { position: None, .. } => write!(f, "a section [{section}] with {example}"),
            _ => write!(f, "{example} to [{section}]"),
        }
    }
}
