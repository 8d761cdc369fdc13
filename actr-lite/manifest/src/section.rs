use std::{
    borrow::Cow,
    fmt::Display,
    path::{Path, PathBuf},
    str::FromStr,
};

use actr_lite_wire::identity::{ActrType, MAX_NAME_LEN, ParseActrTypeError};

use crate::{
    ManifestError, Place,
    document::{Node, Table, Value},
};

/// A table that is being read, or the absence of one, which reads as an empty one.
pub(crate) struct Section<'a> {
    name: String,
    place: Place,
    table: Option<&'a Table>,
}

impl<'a> Section<'a> {
    pub(crate) fn root(document: &'a Node) -> Self {
        Self {
            name: String::new(),
            place: document.place.clone(),
            table: match &document.value {
                Value::Table(table) => Some(table),
                _ => None,
            },
        }
    }

    pub(crate) fn optional(&self, key: &str) -> Option<Field<'a>> {
        let entry = self.table?.get(key)?;
        Some(Field {
            name: dotted(&self.name, key),
            key_place: &entry.key_place,
            node: &entry.node,
        })
    }

    /// A field that must be there; `example` is a line that would do.
    pub(crate) fn required(&self, key: &'static str, example: &'static str) -> Result<Field<'a>, ManifestError> {
        self.optional(key).ok_or_else(|| self.missing(key, example))
    }

    /// That a field is not there which must be; `example` is a line that would do.
    pub(crate) fn missing(&self, key: &'static str, example: &'static str) -> ManifestError {
        ManifestError::MissingKey {
            place: self.place.clone(),
            section: self.name.clone(),
            key,
            example,
        }
    }

    pub(crate) fn section(&self, key: &str) -> Result<Section<'a>, ManifestError> {
        match self.optional(key) {
            Some(field) => field.section(),
            None => Ok(Section {
                name: dotted(&self.name, key),
                place: match &self.place {
                    Place::File { path, .. } => Place::in_file(path),
                    place @ Place::Override(_) => place.clone(),
                },
                table: None,
            }),
        }
    }

    /// All fields, for a section whose keys its author chooses.
    pub(crate) fn fields(&self) -> impl Iterator<Item = (&'a str, Field<'a>)> {
        self.table.into_iter().flatten().map(|(key, entry)| {
            let field = Field {
                name: dotted(&self.name, key),
                key_place: &entry.key_place,
                node: &entry.node,
            };
            (key.as_str(), field)
        })
    }

    pub(crate) fn string_or_none(&self, key: &str) -> Result<Option<String>, ManifestError> {
        self.optional(key)
            .map(|field| Ok(field.string()?.to_owned()))
            .transpose()
    }

    pub(crate) fn boolean_or(&self, key: &str, default: bool) -> Result<bool, ManifestError> {
        self.optional(key).map_or(Ok(default), |field| field.boolean())
    }

    /// A path, relative to `folder`, the one of the file that names it; `expected` is what should be there.
    pub(crate) fn path(
        &self,
        key: &str,
        folder: &Path,
        expected: &'static str,
    ) -> Result<Option<PathBuf>, ManifestError> {
        let field = self.optional(key);
        let read = field.map(|field| match field.string()? {
            "" => Err(field.invalid(format_args!("write the path of {expected}"))),
            path => Ok(folder.join(path)),
        });
        read.transpose()
    }

    /// The strings of an array, none if it is absent.
    pub(crate) fn strings(&self, key: &str) -> Result<Vec<String>, ManifestError> {
        self.array(key, "an array of strings")?
            .iter()
            .map(|field| Ok(field.string()?.to_owned()))
            .collect()
    }

    /// The elements of an array, none if it is absent.
    pub(crate) fn array(&self, key: &str, expected: &'static str) -> Result<Vec<Field<'a>>, ManifestError> {
        self.optional(key).map_or(Ok(Vec::new()), |field| field.array(expected))
    }
}

/// A value that is being read.
pub(crate) struct Field<'a> {
    name: String,
    key_place: &'a Place,
    node: &'a Node,
}

impl<'a> Field<'a> {
    pub(crate) fn string(&self) -> Result<&'a str, ManifestError> {
        match &self.node.value {
            Value::String(text) => Ok(text),
            _ => Err(self.wrong_type("a string in quotes")),
        }
    }

    pub(crate) fn boolean(&self) -> Result<bool, ManifestError> {
        match &self.node.value {
            Value::Boolean(value) => Ok(*value),
            _ => Err(self.wrong_type("true or false")),
        }
    }

    pub(crate) fn integer<T: TryFrom<i128>>(&self, expected: &'static str) -> Result<T, ManifestError> {
        match self.node.value {
            Value::Integer(number) => T::try_from(number).map_err(|_| self.wrong_type(expected)),
            _ => Err(self.wrong_type(expected)),
        }
    }

    /// A string that is read as something finer.
    pub(crate) fn parse<T: FromStr<Err: Display>>(&self) -> Result<T, ManifestError> {
        self.string()?.parse().map_err(|error| self.invalid(error))
    }

    pub(crate) fn actr_type(&self) -> Result<ActrType, ManifestError> {
        self.string()?.parse().map_err(|error| self.invalid_actr_type(&error))
    }

    /// As [`Self::invalid`]; the error's own text would show the value a second time.
    pub(crate) fn invalid_actr_type(&self, error: &ParseActrTypeError) -> ManifestError {
        match error {
            ParseActrTypeError::Form(_) => {
                self.invalid("an actor type is manufacturer+name or manufacturer:name:version")
            }
            ParseActrTypeError::Name { part, .. } => self.invalid(format_args!(
                "a {part} is 1 to {MAX_NAME_LEN} letters, digits, '.', '_' and '-', begins with a letter and doesn't \
                 end with a sign"
            )),
            ParseActrTypeError::Version(_) => {
                self.invalid("a version is a short word like 1.0.0, without ':', '/' and '@'")
            }
        }
    }

    pub(crate) fn array(&self, expected: &'static str) -> Result<Vec<Field<'a>>, ManifestError> {
        let Value::Array(nodes) = &self.node.value else {
            return Err(self.wrong_type(expected));
        };
        let field = |node: &'a Node| Field {
            name: self.name.clone(),
            key_place: &node.place,
            node,
        };
        Ok(nodes.iter().map(field).collect())
    }

    pub(crate) fn section(&self) -> Result<Section<'a>, ManifestError> {
        self.section_like("a table")
    }

    /// A section that may stand in braces; `expected` shows how.
    pub(crate) fn section_like(&self, expected: &'static str) -> Result<Section<'a>, ManifestError> {
        let Value::Table(table) = &self.node.value else {
            return Err(self.wrong_type(expected));
        };
        Ok(Section {
            name: self.name.clone(),
            place: self.key_place.clone(),
            table: Some(table),
        })
    }

    fn wrong_type(&self, expected: &'static str) -> ManifestError {
        ManifestError::WrongType {
            place: self.node.place.clone(),
            key: self.name.clone(),
            expected,
            found: self.node.value.described().into_owned(),
        }
    }

    /// The value has the right type and no meaning.
    pub(crate) fn invalid(&self, problem: impl Display) -> ManifestError {
        ManifestError::InvalidValue {
            place: self.node.place.clone(),
            key: self.name.clone(),
            found: self.node.value.shown().into_owned(),
            problem: problem.to_string(),
        }
    }
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
    let bare = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_' || c == '*';
    if !key.is_empty() && key.chars().all(bare) {
        return key.into();
    }
    format!("{key:?}").into()
}
