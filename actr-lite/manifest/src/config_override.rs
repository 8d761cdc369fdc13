use std::{fmt, str::FromStr, sync::Arc};

use thiserror::Error;
use toml::de::{DeTable, DeValue};

use crate::{place::Place, shell_word::shell_word, syntax_problem::syntax_problem};

/// One key of an `Actr.toml`, set from the command line: `--config KEY=VALUE`.
///
/// KEY is dotted (`system.signaling.url`), VALUE is TOML. A VALUE that is no TOML, such as a bare word or a URL, is a
/// string. The key's whole value is replaced, also when it is an array or a table.
#[derive(Debug, Clone)]
pub struct ConfigOverride {
    text: Arc<str>,
    key: Vec<String>,
    /// The part behind the `=`, without spaces around it.
    value: String,
}

impl ConfigOverride {
    /// The parts of its dotted key.
    pub(crate) fn key(&self) -> &[String] {
        &self.key
    }

    /// TOML, or what isn't TOML as a string.
    pub(crate) fn value(&self) -> DeValue<'_> {
        match DeValue::parse(&self.value) {
            Ok(value) => value.into_inner(),
            Err(_) => DeValue::String(self.value.as_str().into()),
        }
    }

    pub(crate) fn place(&self) -> Place {
        Place::Override(self.text.clone())
    }
}

/// Why an argument is not an override.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ParseConfigOverrideError {
    /// There is no `=`.
    #[error("{} is not KEY=VALUE, like system.signaling.url=ws://127.0.0.1:8081/signaling/ws", shell_word(.0))]
    Form(String),
    /// The part before the `=` is not a dotted key.
    #[error("{0:?} is not a dotted key, like system.signaling.url")]
    Key(String),
    /// Nothing follows the `=`.
    #[error("{0}= has no value: write {0}='\"\"' for an empty string")]
    NoValue(String),
    /// A quoted string or a number that is not valid TOML.
    #[error("the value {value} is not valid TOML: {problem}")]
    Value {
        /// What follows the `=`.
        value: String,
        /// What the parser expected.
        problem: String,
    },
}

impl FromStr for ConfigOverride {
    type Err = ParseConfigOverrideError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (key, value) = text
            .split_once('=')
            .ok_or_else(|| ParseConfigOverrideError::Form(text.into()))?;
        Ok(Self {
            text: text.into(),
            key: parse_key(key).ok_or_else(|| ParseConfigOverrideError::Key(key.into()))?,
            value: check_value(key, value.trim())?.into(),
        })
    }
}

/// The parts of a dotted key, as TOML itself reads them.
fn parse_key(key: &str) -> Option<Vec<String>> {
    if key.contains(char::is_control) {
        return None;
    }
    let line = format!("{key} = 0");
    let mut value = DeValue::Table(DeTable::parse(&line).ok()?.into_inner());
    let mut path = Vec::new();
    while let DeValue::Table(table) = value {
        let (key, inner) = table.into_iter().next()?;
        path.push(key.into_inner().into_owned());
        value = inner.into_inner();
    }
    Some(path)
}

fn check_value<'a>(key: &str, value: &'a str) -> Result<&'a str, ParseConfigOverrideError> {
    if value.is_empty() {
        return Err(ParseConfigOverrideError::NoValue(key.trim().into()));
    }
    match DeValue::parse(value) {
        // A quotation mark at the start means TOML; anything else that isn't TOML is taken as it is.
        Err(error) if value.starts_with(['"', '\'']) => Err(ParseConfigOverrideError::Value {
            value: shell_word(value).into_owned(),
            problem: syntax_problem(value, &error),
        }),
        _ => Ok(value),
    }
}

impl fmt::Display for ConfigOverride {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::shown;

    fn parse(text: &str) -> (String, String) {
        let parsed: ConfigOverride = text.parse().unwrap();
        (parsed.key.join("|"), shown::described(&parsed.value()))
    }

    #[test]
    fn a_value_is_toml_and_what_is_no_toml_is_a_string() {
        for (text, key, value) in [
            ("edition=1", "edition", "the number 1"),
            (
                "system.signaling.embedded = true",
                "system|signaling|embedded",
                "the boolean true",
            ),
            ("package.name='a b'", "package|name", r#"the string "a b""#),
            ("package.name=word", "package|name", r#"the string "word""#),
            ("package.name=two words", "package|name", r#"the string "two words""#),
            ("a.url=ws://h:0/x?a=b#c", "a|url", r#"the string "ws://h:0/x?a=b#c""#),
            ("listen=[::1]:0", "listen", r#"the string "[::1]:0""#),
            ("listen=127.0.0.1:0", "listen", r#"the string "127.0.0.1:0""#),
            ("package.tags=['a', 'b']", "package|tags", "an array"),
            ("package.actr_type={name='b'}", "package|actr_type", "a table"),
            (
                "dependencies.'the server'.actr_type=x",
                "dependencies|the server|actr_type",
                r#"the string "x""#,
            ),
        ] {
            assert_eq!(parse(text), (key.into(), value.into()), "{text}");
        }
    }

    #[test]
    fn what_is_not_key_and_value_is_refused_with_what_to_write() {
        let mut messages = String::new();
        for text in [
            "edition",
            "=1",
            "a..b=1",
            "a b=1",
            "a\nb=1",
            "[a]=1",
            "edition=",
            "a='b",
            "a=\"b\\q\"",
        ] {
            let error = text.parse::<ConfigOverride>().unwrap_err();
            messages.push_str(&format!("{error}\n"));
        }
        insta::assert_snapshot!(messages, @r#"
        edition is not KEY=VALUE, like system.signaling.url=ws://127.0.0.1:8081/signaling/ws
        "" is not a dotted key, like system.signaling.url
        "a..b" is not a dotted key, like system.signaling.url
        "a b" is not a dotted key, like system.signaling.url
        "a\nb" is not a dotted key, like system.signaling.url
        "[a]" is not a dotted key, like system.signaling.url
        edition= has no value: write edition='""' for an empty string
        the value "'b" is not valid TOML: invalid literal string, expected `'`
        the value '"b\q"' is not valid TOML: missing escaped value, expected `b`, `e`, `f`, `n`, `r`, `\`, `"`, `x`, `u`, `U`
        "#);
    }

    proptest! {
        #[test]
        fn no_text_makes_the_parser_panic(text in "(?s).{0,60}") {
            let _ = text.parse::<ConfigOverride>().map_err(|error| error.to_string());
        }
    }
}
