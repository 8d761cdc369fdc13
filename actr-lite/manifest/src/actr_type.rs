//! Actor types, as a text and as a section. Their own errors would show the value a second time.

use actr_lite_wire::identity::{ActrType, DEFAULT_VERSION, MAX_NAME_LEN, ParseActrTypeError};
use serde::{Deserialize, Deserializer, de::Error};

/// A type in one text: `acme+Echo` or `acme:Echo:1.0.0`.
pub(crate) struct TypeText(pub(crate) ActrType);

impl<'de> Deserialize<'de> for TypeText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        from_text(deserializer).map(Self)
    }
}

pub(crate) fn from_text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<ActrType, D::Error> {
    String::deserialize(deserializer)?.parse().map_err(refused)
}

/// A type in a section of its own: manufacturer, name and perhaps a version.
pub(crate) fn from_section<'de, D: Deserializer<'de>>(deserializer: D) -> Result<ActrType, D::Error> {
    let Section {
        manufacturer,
        name,
        version,
    } = Section::deserialize(deserializer)?;
    ActrType::new(&manufacturer, &name, &version).map_err(refused)
}

/// Each part is checked by itself, so that an error stands at its line.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Section {
    #[serde(deserialize_with = "manufacturer")]
    manufacturer: String,
    #[serde(deserialize_with = "name")]
    name: String,
    #[serde(default = "default_version", deserialize_with = "version")]
    version: String,
}

/// A part that is well-formed, beside the one that is checked.
const SOME_NAME: &str = "x";

fn manufacturer<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    checked(deserializer, |text| ActrType::new(text, SOME_NAME, DEFAULT_VERSION))
}

fn name<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    checked(deserializer, |text| ActrType::new(SOME_NAME, text, DEFAULT_VERSION))
}

fn version<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    checked(deserializer, |text| ActrType::new(SOME_NAME, SOME_NAME, text))
}

fn default_version() -> String {
    DEFAULT_VERSION.into()
}

fn checked<'de, D: Deserializer<'de>>(
    deserializer: D,
    check: impl Fn(&str) -> Result<ActrType, ParseActrTypeError>,
) -> Result<String, D::Error> {
    let text = String::deserialize(deserializer)?;
    check(&text).map_err(refused)?;
    Ok(text)
}

fn refused<E: Error>(error: ParseActrTypeError) -> E {
    match error {
        ParseActrTypeError::Form(_) => E::custom("an actor type is manufacturer+name or manufacturer:name:version"),
        ParseActrTypeError::Name { part, .. } => E::custom(format_args!(
            "a {part} is 1 to {MAX_NAME_LEN} letters, digits, '.', '_' and '-', begins with a letter and doesn't end \
             with a sign"
        )),
        ParseActrTypeError::Version(_) => E::custom("a version is a short word like 1.0.0, without ':', '/' and '@'"),
    }
}
