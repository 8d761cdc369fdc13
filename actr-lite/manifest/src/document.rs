use std::{borrow::Cow, collections::BTreeMap};

use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use crate::{ManifestError, Place, place::Source};

/// A value and the place it comes from. The toml crate's own tree knows byte offsets of one text; this one can hold
/// values of several texts.
#[derive(Debug, Clone)]
pub(crate) struct Node {
    pub(crate) place: Place,
    pub(crate) value: Value,
}

#[derive(Debug, Clone)]
pub(crate) enum Value {
    String(String),
    Integer(i128),
    Float(String),
    Boolean(bool),
    Datetime(String),
    Array(Vec<Node>),
    Table(Table),
}

pub(crate) type Table = BTreeMap<String, Entry>;

/// What a table holds for one key.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) key_place: Place,
    pub(crate) node: Node,
}

/// The most characters of a value that an error shows: enough for any URL that fits a line.
const MAX_SHOWN_LEN: usize = 100;

impl Node {
    /// A whole document. `place` is its file, or the override that it is the value of.
    pub(crate) fn parse_document(text: &str, place: &Place) -> Result<Self, ManifestError> {
        let source = Source::new(text, place);
        let table = DeTable::parse(text).map_err(|error| syntax(&source, &error))?;
        Ok(Self {
            place: source.place(0),
            value: Value::Table(convert_table(table.into_inner(), &source)?),
        })
    }

    /// One value.
    pub(crate) fn parse_value(text: &str, place: &Place) -> Result<Self, ManifestError> {
        let source = Source::new(text, place);
        let value = DeValue::parse(text).map_err(|error| syntax(&source, &error))?;
        convert(value, &source)
    }

    /// Puts a value at a path of keys, making the tables on the way.
    pub(crate) fn set(&mut self, path: &[String], node: Node) {
        let Some((key, rest)) = path.split_first() else {
            *self = node;
            return;
        };
        if !matches!(self.value, Value::Table(_)) {
            *self = Self::empty_table(&node.place);
        }
        if let Value::Table(table) = &mut self.value {
            let entry = table.entry(key.clone()).or_insert_with(|| Entry {
                key_place: node.place.clone(),
                node: Self::empty_table(&node.place),
            });
            if rest.is_empty() {
                entry.key_place = node.place.clone();
            }
            entry.node.set(rest, node);
        }
    }

    fn empty_table(place: &Place) -> Self {
        Self {
            place: place.clone(),
            value: Value::Table(Table::new()),
        }
    }
}

impl Value {
    /// The value as an error shows it: on one line, and not too long.
    pub(crate) fn shown(&self) -> Cow<'static, str> {
        match self {
            Self::String(text) => shortened(text).into(),
            Self::Integer(number) => number.to_string().into(),
            Self::Float(text) | Self::Datetime(text) => text.clone().into(),
            Self::Boolean(value) => value.to_string().into(),
            Self::Array(_) => "[...]".into(),
            Self::Table(_) => "{...}".into(),
        }
    }

    /// The value with its type before it.
    pub(crate) fn described(&self) -> Cow<'static, str> {
        let kind = match self {
            Self::String(_) => "the string",
            Self::Integer(_) | Self::Float(_) => "the number",
            Self::Boolean(_) => "the boolean",
            Self::Datetime(_) => "the date",
            Self::Array(_) => return "an array".into(),
            Self::Table(_) => return "a table".into(),
        };
        format!("{kind} {}", self.shown()).into()
    }
}

fn shortened(text: &str) -> String {
    match text.char_indices().nth(MAX_SHOWN_LEN) {
        Some((end, _)) => format!("{:?}...", text.get(..end).unwrap_or(text)),
        None => format!("{text:?}"),
    }
}

fn syntax(source: &Source<'_>, error: &toml::de::Error) -> ManifestError {
    let span = error.span().unwrap_or_default();
    let message = error.message().lines().collect::<Vec<_>>().join(", ");
    ManifestError::Syntax {
        place: source.place(span.start),
        problem: match source.text.get(span) {
            None | Some("") => message,
            Some(found) => format!("{message}, found {}", shortened(found)),
        },
    }
}

fn convert_table(table: DeTable<'_>, source: &Source<'_>) -> Result<Table, ManifestError> {
    table
        .into_iter()
        .map(|(key, value)| {
            let key_place = source.place(key.span().start);
            let node = convert(value, source)?;
            Ok((key.into_inner().into_owned(), Entry { key_place, node }))
        })
        .collect()
}

fn convert(value: Spanned<DeValue<'_>>, source: &Source<'_>) -> Result<Node, ManifestError> {
    let here = source.place(value.span().start);
    let value = match value.into_inner() {
        DeValue::String(text) => Value::String(text.into_owned()),
        DeValue::Integer(number) => match i128::from_str_radix(number.as_str(), number.radix()) {
            Ok(number) => Value::Integer(number),
            Err(_) => {
                return Err(ManifestError::Syntax {
                    place: here,
                    problem: "the number is out of range".into(),
                });
            }
        },
        DeValue::Float(number) => Value::Float(number.as_str().into()),
        DeValue::Boolean(value) => Value::Boolean(value),
        DeValue::Datetime(value) => Value::Datetime(value.to_string()),
        DeValue::Array(values) => Value::Array(
            values
                .into_iter()
                .map(|value| convert(value, source))
                .collect::<Result<_, _>>()?,
        ),
        DeValue::Table(table) => Value::Table(convert_table(table, source)?),
    };
    Ok(Node { place: here, value })
}
