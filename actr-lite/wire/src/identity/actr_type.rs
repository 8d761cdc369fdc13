use std::{fmt, str::FromStr, sync::Arc};

use thiserror::Error;

use super::beginning;
use crate::proto;

/// The version of a type whose text names none.
pub const DEFAULT_VERSION: &str = "1.0.0";

/// The most characters that a manufacturer or a name may have: actr's rule for names.
pub const MAX_NAME_LEN: usize = 32;

/// The most bytes that a version may have: nothing in the protocol bounds it, and it is a key in every directory.
const MAX_VERSION_LEN: usize = 64;

/// What kind of actor it is: manufacturer, name and version, compared exactly. Cheap to clone.
///
/// Reads `manufacturer:name:version`, `manufacturer:name` and the older `manufacturer+name`; writes the first.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ActrType(Arc<Parts>);

#[derive(PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Parts {
    manufacturer: Box<str>,
    name: Box<str>,
    version: Box<str>,
}

impl ActrType {
    /// A type from its three parts.
    ///
    /// # Errors
    /// When a part breaks actr's rules: see [`ParseActrTypeError`].
    pub fn new(manufacturer: &str, name: &str, version: &str) -> Result<Self, ParseActrTypeError> {
        check_name("manufacturer", manufacturer)?;
        check_name("name", name)?;
        check_version(version)?;
        Ok(Self(Arc::new(Parts {
            manufacturer: manufacturer.into(),
            name: name.into(),
            version: version.into(),
        })))
    }

    /// Who makes actors of this type.
    pub fn manufacturer(&self) -> &str {
        &self.0.manufacturer
    }

    /// The type's name.
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// The type's version.
    pub fn version(&self) -> &str {
        &self.0.version
    }
}

/// Why a text or a message is not an actor type; with the beginning of the text.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ParseActrTypeError {
    /// There are not two or three parts.
    #[error("actor type {0:?} is not of the form manufacturer:name:version or manufacturer+name")]
    Form(String),
    /// The manufacturer or the name is not a name.
    #[error(
        "{part} {value:?} is not a name: 1 to {MAX_NAME_LEN} characters of A-Z a-z 0-9 . _ -, the first a letter, the last a letter or digit"
    )]
    Name {
        /// Which part.
        part: &'static str,
        /// What stands there.
        value: String,
    },
    /// The version is empty, too long, or has a character that the text forms give a meaning.
    #[error(
        "version {0:?} is not 1 to {MAX_VERSION_LEN} characters of printable ASCII without ':', '/', '@' and space"
    )]
    Version(String),
}

fn check_name(part: &'static str, value: &str) -> Result<(), ParseActrTypeError> {
    let bytes = value.as_bytes();
    let fits = bytes.len() <= MAX_NAME_LEN
        && bytes.first().is_some_and(u8::is_ascii_alphabetic)
        && bytes.last().is_some_and(u8::is_ascii_alphanumeric)
        && bytes
            .iter()
            .all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(byte));
    if fits {
        return Ok(());
    }
    Err(ParseActrTypeError::Name {
        part,
        value: beginning(value),
    })
}

fn check_version(version: &str) -> Result<(), ParseActrTypeError> {
    let fits = (1..=MAX_VERSION_LEN).contains(&version.len())
        && version
            .bytes()
            .all(|byte| byte.is_ascii_graphic() && !b":/@".contains(&byte));
    if fits {
        return Ok(());
    }
    Err(ParseActrTypeError::Version(beginning(version)))
}

impl FromStr for ActrType {
    type Err = ParseActrTypeError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let form = || ParseActrTypeError::Form(beginning(text));
        // A version may have a plus sign too, as semantic versions do: 1.0.0+build.
        let Some((manufacturer, rest)) = text.split_once(':') else {
            let (manufacturer, name) = text.split_once('+').ok_or_else(form)?;
            return Self::new(manufacturer, name, DEFAULT_VERSION);
        };
        let (name, version) = rest.split_once(':').unwrap_or((rest, DEFAULT_VERSION));
        Self::new(manufacturer, name, version)
    }
}

impl fmt::Display for ActrType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.manufacturer(), self.name(), self.version())
    }
}

impl fmt::Debug for ActrType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ActrType({self})")
    }
}

impl From<&ActrType> for proto::ActrType {
    fn from(actr_type: &ActrType) -> Self {
        Self {
            manufacturer: actr_type.manufacturer().into(),
            name: actr_type.name().into(),
            version: actr_type.version().into(),
        }
    }
}

impl TryFrom<&proto::ActrType> for ActrType {
    type Error = ParseActrTypeError;

    fn try_from(message: &proto::ActrType) -> Result<Self, Self::Error> {
        Self::new(&message.manufacturer, &message.name, &message.version)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn both_text_forms_name_the_same_type() {
        let new: ActrType = "acme:StreamEchoServer:1.0.0".parse().unwrap();
        let old: ActrType = "acme+StreamEchoServer".parse().unwrap();
        assert_eq!(new, old);
        assert_eq!(old.to_string(), "acme:StreamEchoServer:1.0.0");
    }

    #[test]
    fn a_version_may_have_a_plus_sign() {
        let actr_type = ActrType::new("acme", "Echo", "1.0.0+build.5").unwrap();
        assert_eq!(actr_type.to_string().parse::<ActrType>().unwrap(), actr_type);
    }

    #[test]
    fn a_text_that_breaks_the_rules_is_refused_with_the_rule() {
        for text in [
            "",
            "acme",
            ":",
            "acme:",
            "+",
            "1cme+X",
            "acme+X-",
            "ac me+X",
            "acme:X:",
            "acme:X:1:2",
        ] {
            assert!(text.parse::<ActrType>().is_err(), "{text:?}");
        }
        let long = "a".repeat(MAX_NAME_LEN + 1);
        let error = format!("acme+{long}").parse::<ActrType>().unwrap_err();
        assert!(error.to_string().contains("1 to 32 characters"), "{error}");
    }

    proptest! {
        #[test]
        fn text_and_message_give_back_what_was_written(
            manufacturer in "[A-Za-z][A-Za-z0-9._-]{0,30}[A-Za-z0-9]",
            name in "[A-Za-z]",
            version in "[0-9]\\.[0-9]{1,3}(-rc[0-9])?(\\+[a-z0-9]{1,5})?",
        ) {
            let actr_type = ActrType::new(&manufacturer, &name, &version).unwrap();
            prop_assert_eq!(&actr_type.to_string().parse::<ActrType>().unwrap(), &actr_type);
            prop_assert_eq!(&ActrType::try_from(&proto::ActrType::from(&actr_type)).unwrap(), &actr_type);
        }

        #[test]
        fn no_text_makes_the_parser_panic(text in ".{0,80}") {
            let _ = text.parse::<ActrType>();
        }
    }
}
