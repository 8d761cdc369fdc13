use std::fmt::Display;

use serde::de::{self, Expected, Unexpected};
use thiserror::Error;
use toml::{Spanned, de::DeValue};

use crate::{key_path::key_path, shown};

/// Why a value can't be read: what serde says, with the place and the path that [`Reader`](crate::reader::Reader) adds
/// on the way out.
#[derive(Debug, Clone, Error)]
#[error("{problem:?}")]
pub(crate) struct ReadError {
    pub(crate) problem: Problem,
    /// Where the key or the value begins; 0 for the document itself.
    pub(crate) offset: usize,
    is_placed: bool,
    /// The keys that lead there, the last one first.
    keys: Vec<String>,
}

#[derive(Debug, Clone)]
pub(crate) enum Problem {
    UnknownKey {
        key: String,
        known: &'static [&'static str],
    },
    MissingKey(&'static str),
    WrongType {
        expected: String,
        found: String,
    },
    Invalid {
        problem: String,
        found: String,
    },
    NumberOutOfRange,
}

impl ReadError {
    pub(crate) fn new(problem: Problem) -> Self {
        Self {
            problem,
            offset: 0,
            is_placed: false,
            keys: Vec::new(),
        }
    }

    /// The keys that lead to what is wrong.
    pub(crate) fn path(&self) -> Vec<String> {
        self.keys.iter().rev().cloned().collect()
    }

    /// What tells it from others of the same document.
    pub(crate) fn place(&self) -> (usize, String) {
        let key = match &self.problem {
            Problem::UnknownKey { key, .. } => key,
            Problem::MissingKey(key) => *key,
            Problem::WrongType { .. } | Problem::Invalid { .. } | Problem::NumberOutOfRange => "",
        };
        let path = self.keys.iter().rev().map(String::as_str).chain([key]);
        (self.offset, key_path(path))
    }

    /// It stands at `offset`, unless it is known to stand further inside.
    pub(crate) fn at(mut self, offset: usize) -> Self {
        if !self.is_placed {
            (self.offset, self.is_placed) = (offset, true);
        }
        self
    }

    /// It is about this value, whose key or, in an array, itself is at `section`; or about something further inside.
    pub(crate) fn in_value(mut self, value: &Spanned<DeValue<'_>>, section: usize) -> Self {
        if self.is_placed {
            return self;
        }
        match &mut self.problem {
            Problem::MissingKey(_) => return self.at(section),
            Problem::WrongType { found, .. } => *found = shown::described(value.get_ref()),
            Problem::Invalid { found, .. } => *found = shown::value(value.get_ref()),
            Problem::UnknownKey { .. } | Problem::NumberOutOfRange => {}
        }
        self.at(value.span().start)
    }

    /// It is in the value of this key.
    pub(crate) fn under(mut self, key: &str) -> Self {
        self.keys.push(key.into());
        self
    }
}

impl de::Error for ReadError {
    fn custom<T: Display>(problem: T) -> Self {
        Self::new(Problem::Invalid {
            problem: problem.to_string(),
            found: String::new(),
        })
    }

    fn invalid_type(_: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::new(Problem::WrongType {
            expected: in_plain_words(expected.to_string()),
            found: String::new(),
        })
    }

    fn invalid_value(unexpected: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::invalid_type(unexpected, expected)
    }

    fn unknown_field(key: &str, known: &'static [&'static str]) -> Self {
        Self::new(Problem::UnknownKey { key: key.into(), known })
    }

    fn missing_field(key: &'static str) -> Self {
        Self::new(Problem::MissingKey(key))
    }
}

/// What serde's own types expect, for a reader who writes TOML and not Rust.
fn in_plain_words(expected: String) -> String {
    let plain = match expected.as_str() {
        "a string" | "path string" => "a string in quotes",
        "a boolean" => "true or false",
        "u32" => "a whole number from 0 to 4294967295",
        "i64" => "a whole number",
        // An array of anything else says so itself: see `expecting::array`.
        "a sequence" => "an array of strings",
        "a map" => "a table",
        rust if rust.starts_with("struct ") => "a table",
        _ => return expected,
    };
    plain.into()
}
