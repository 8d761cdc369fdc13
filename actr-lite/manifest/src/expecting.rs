//! Values whose errors say in plain words what is expected.

use std::{fmt, fmt::Display, marker::PhantomData, str::FromStr};

use serde::{
    Deserialize, Deserializer,
    de::{Error, SeqAccess, Unexpected, Visitor},
};

/// A text that is read as something finer.
pub(crate) fn parsed<'de, D: Deserializer<'de>, T: FromStr<Err: Display>>(deserializer: D) -> Result<T, D::Error> {
    String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
}

/// A whole number of any size.
pub(crate) fn whole_number<'de, D: Deserializer<'de>>(
    deserializer: D,
    expected: &'static str,
) -> Result<i128, D::Error> {
    match number_or_text(deserializer, expected)? {
        NumberOrText::Number(number) => Ok(number),
        NumberOrText::Text(text) => Err(D::Error::invalid_type(Unexpected::Str(&text), &expected)),
    }
}

pub(crate) enum NumberOrText {
    Number(i128),
    Text(String),
}

pub(crate) fn number_or_text<'de, D: Deserializer<'de>>(
    deserializer: D,
    expected: &'static str,
) -> Result<NumberOrText, D::Error> {
    deserializer.deserialize_any(NumberOrTextVisitor(expected))
}

struct NumberOrTextVisitor(&'static str);

impl Visitor<'_> for NumberOrTextVisitor {
    type Value = NumberOrText;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }

    fn visit_i64<E>(self, number: i64) -> Result<NumberOrText, E> {
        Ok(NumberOrText::Number(number.into()))
    }

    fn visit_u64<E>(self, number: u64) -> Result<NumberOrText, E> {
        Ok(NumberOrText::Number(number.into()))
    }

    fn visit_i128<E>(self, number: i128) -> Result<NumberOrText, E> {
        Ok(NumberOrText::Number(number))
    }

    fn visit_str<E>(self, text: &str) -> Result<NumberOrText, E> {
        Ok(NumberOrText::Text(text.into()))
    }
}

/// An array; one of strings needs no words of its own.
pub(crate) fn array<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
    expected: &'static str,
) -> Result<Vec<T>, D::Error> {
    deserializer.deserialize_seq(ArrayVisitor(expected, PhantomData))
}

struct ArrayVisitor<T>(&'static str, PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for ArrayVisitor<T> {
    type Value = Vec<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Vec<T>, A::Error> {
        let mut read = Vec::new();
        while let Some(element) = elements.next_element()? {
            read.push(element);
        }
        Ok(read)
    }
}
