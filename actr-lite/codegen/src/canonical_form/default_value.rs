use prost_types::{FieldDescriptorProto, field_descriptor_proto::Type};

use super::error::CanonicalFormError;

/// From here on an `f64` does not hold every integer.
const FIRST_INEXACT: f64 = 9_007_199_254_740_992.0;

/// A field's default as the canonical form writes it.
pub(super) fn of(field: &FieldDescriptorProto) -> Result<Option<String>, CanonicalFormError> {
    let Some(text) = &field.default_value else {
        return Ok(None);
    };
    match field.r#type() {
        // The canonical form has an integer literal as it is, and other numbers as an `f64`; the parser has all as an
        // `f64`.
        Type::Float | Type::Double if is_ambiguous(text) => Err(CanonicalFormError::FloatDefault {
            field: field.name().into(),
            value: text.clone(),
        }),
        Type::Bytes => Ok(Some(with_octal_escapes(text))),
        _ => Ok(Some(text.clone())),
    }
}

fn is_ambiguous(text: &str) -> bool {
    text.parse::<f64>()
        .is_ok_and(|value| text == "-0" || (value.is_finite() && value.abs() >= FIRST_INEXACT))
}

/// Bytes that the parser writes as `\xff` are `\377` in the canonical form. The other escapes are the same in both.
fn with_octal_escapes(text: &str) -> String {
    let mut octal = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        let (before, escape) = rest.split_at(at);
        octal.push_str(before);
        let byte = escape
            .strip_prefix("\\x")
            .and_then(|digits| u8::from_str_radix(digits.get(..2)?, 16).ok());
        let length = match byte {
            Some(byte) => {
                octal.push_str(&format!("\\{byte:03o}"));
                4
            }
            None => {
                let length = escape.chars().take(2).map(char::len_utf8).sum();
                octal.push_str(&escape[..length]);
                length
            }
        };
        rest = &escape[length..];
    }
    octal.push_str(rest);
    octal
}
