//! How an error shows a value: on one line, and not too long.

use toml::de::{DeInteger, DeValue};

/// The most characters of a text that an error shows: enough for any URL that fits a line.
const MAX_SHOWN_LEN: usize = 100;

pub(crate) fn value(value: &DeValue<'_>) -> String {
    match value {
        DeValue::String(content) => text(content),
        DeValue::Integer(number) => whole_number(number).map_or_else(|| number.to_string(), |n| n.to_string()),
        DeValue::Float(number) => number.to_string(),
        DeValue::Boolean(value) => value.to_string(),
        DeValue::Datetime(date) => date.to_string(),
        DeValue::Array(_) => "[...]".into(),
        DeValue::Table(_) => "{...}".into(),
    }
}

/// The value with its type before it.
pub(crate) fn described(found: &DeValue<'_>) -> String {
    let kind = match found {
        DeValue::String(_) => "the string",
        DeValue::Integer(_) | DeValue::Float(_) => "the number",
        DeValue::Boolean(_) => "the boolean",
        DeValue::Datetime(_) => "the date",
        DeValue::Array(_) => return "an array".into(),
        DeValue::Table(_) => return "a table".into(),
    };
    format!("{kind} {}", value(found))
}

pub(crate) fn text(text: &str) -> String {
    match text.char_indices().nth(MAX_SHOWN_LEN) {
        Some((end, _)) => format!("{:?}...", text.get(..end).unwrap_or(text)),
        None => format!("{text:?}"),
    }
}

/// `None` if it is out of the range of the largest type.
pub(crate) fn whole_number(number: &DeInteger<'_>) -> Option<i128> {
    i128::from_str_radix(number.as_str(), number.radix()).ok()
}
