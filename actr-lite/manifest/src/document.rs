use std::{fmt::Display, path::Path};

use serde::Deserialize;
use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use crate::{
    config_override::ConfigOverride,
    error::ManifestError,
    key_path::{dotted, key_path},
    mending::{mend, placed},
    place::Place,
    problems::Problems,
    read_error::{Problem, ReadError},
    reader::Reader,
    reference::Reference,
    shown,
    suggestion::nearest_key,
    syntax_problem::syntax_problem,
};

/// The most problems of a file that are told: who has more has given the wrong file.
const MAX_PROBLEMS: usize = 100;

/// A file's values with overrides in place, and where each of them is from.
///
/// A span up to the length of the text is one of the text. What an override sets has an empty span behind it: the first
/// override's is at the text's length and 1, the second's at 2, and so on.
pub(crate) struct Document<'a> {
    text: &'a str,
    path: &'a Path,
    overrides: &'a [ConfigOverride],
    reference: Reference,
    root: Spanned<DeValue<'a>>,
}

impl<'a> Document<'a> {
    /// Reads the TOML; `path` is what errors call the file.
    pub(crate) fn parse(
        text: &'a str,
        path: &'a Path,
        overrides: &'a [ConfigOverride],
        reference: Reference,
    ) -> Result<Self, ManifestError> {
        let table = DeTable::parse(text).map_err(|error| ManifestError::Syntax {
            place: Place::in_text(path, text.as_bytes(), error.span().unwrap_or_default().start),
            problem: syntax_problem(text, &error),
        })?;
        let mut root = Spanned::new(table.span(), DeValue::Table(table.into_inner()));
        for (index, config_override) in overrides.iter().enumerate() {
            let offset = text.len() + 1 + index;
            let value = placed(config_override.value(), offset);
            set(&mut root, config_override.key(), value);
        }
        Ok(Self {
            text,
            path,
            overrides,
            reference,
            root,
        })
    }

    /// The document as a type, or everything in it that the type refuses: a problem is mended in a copy, in which the next
    /// one is looked for.
    pub(crate) fn read<T: for<'de> Deserialize<'de>>(&self) -> Result<T, Problems<ManifestError>> {
        let mut error = match T::deserialize(Reader(&self.root)) {
            Ok(value) => return Ok(value),
            Err(error) => error,
        };
        let first = error.place();
        let mut root = self.root.clone();
        let (mut places, mut problems) = (vec![first], Problems::from(self.explained(error.clone())));
        while places.len() < MAX_PROBLEMS && mend(&mut root, &error, self.reference) {
            error = match T::deserialize(Reader(&root)) {
                Ok(_) => break,
                // What was mended is refused again.
                Err(error) if places.contains(&error.place()) => break,
                Err(error) => error,
            };
            places.push(error.place());
            problems.push(self.explained(error.clone()));
        }
        Err(problems)
    }

    /// That a value has the right type and no meaning, which no single value tells; `path` leads to it, with the index
    /// of an array's element.
    pub(crate) fn invalid(&self, path: &[&str], problem: impl Display) -> ManifestError {
        let value = self.value(path);
        let keys = path.iter().filter(|part| part.parse::<usize>().is_err());
        ManifestError::InvalidValue {
            place: self.place_of(path),
            key: key_path(keys),
            found: value.map_or_else(|| "nothing".into(), |value| shown::value(value.get_ref())),
            problem: problem.to_string(),
        }
    }

    /// Where the value is, or the file if there is none.
    pub(crate) fn place_of(&self, path: &[&str]) -> Place {
        let value = self.value(path);
        value.map_or_else(|| Place::in_file(self.path), |value| self.place(value.span().start))
    }

    fn value(&self, path: &[&str]) -> Option<&Spanned<DeValue<'a>>> {
        path.iter().try_fold(&self.root, |value, part| match value.get_ref() {
            DeValue::Array(values) => values.get(part.parse::<usize>().ok()?),
            value => value.get(part),
        })
    }

    fn place(&self, offset: usize) -> Place {
        let index = offset.checked_sub(self.text.len() + 1);
        match index.and_then(|index| self.overrides.get(index)) {
            Some(config_override) => config_override.place(),
            None => Place::in_text(self.path, self.text.as_bytes(), offset),
        }
    }

    fn explained(&self, error: ReadError) -> ManifestError {
        let path = error.path();
        let place = self.place(error.offset);
        match error.problem {
            Problem::UnknownKey { key, known } => ManifestError::UnknownKey {
                place,
                nearest: nearest_key(&key, known)
                    .map(|nearest| dotted(&key_path(&path), nearest))
                    .or_else(|| self.reference.only_path_of(&key)),
                key: dotted(&key_path(&path), &key),
                known,
            },
            Problem::MissingKey(key) => {
                let addition = self.reference.addition(&path, key);
                ManifestError::MissingKey {
                    place: match place {
                        Place::File { path, .. } if !addition.sections.is_empty() => Place::in_file(&path),
                        place => place,
                    },
                    section: key_path(path.iter().map(String::as_str).chain(addition.sections)),
                    key: addition.key,
                    example: addition.example,
                }
            }
            Problem::WrongType { expected, found } => ManifestError::WrongType {
                place,
                key: key_path(&path),
                expected,
                found,
            },
            Problem::Invalid { problem, found } => ManifestError::InvalidValue {
                place,
                key: key_path(&path),
                found,
                problem,
            },
            Problem::NumberOutOfRange => ManifestError::Syntax {
                place,
                problem: "the number is out of range".into(),
            },
        }
    }
}

/// Puts a value at a path of keys, making the tables on the way.
fn set<'a>(at: &mut Spanned<DeValue<'a>>, path: &[String], value: Spanned<DeValue<'a>>) {
    let Some((key, rest)) = path.split_first() else {
        *at = value;
        return;
    };
    let empty_table = || Spanned::new(value.span(), DeValue::Table(DeTable::new()));
    if !at.get_ref().is_table() {
        *at = empty_table();
    }
    let DeValue::Table(table) = at.get_mut() else {
        return;
    };
    let (key_span, mut child) = match table.remove_entry(key.as_str()) {
        Some((known, child)) if !rest.is_empty() => (known.span(), child),
        _ => (value.span(), empty_table()),
    };
    set(&mut child, rest, value);
    table.insert(Spanned::new(key_span, key.clone().into()), child);
}
