use serde::{
    Deserializer,
    de::{DeserializeSeed, Error as _, IntoDeserializer as _, MapAccess, SeqAccess, Unexpected, Visitor},
    forward_to_deserialize_any,
};
use toml::{
    Spanned,
    de::{DeString, DeTable, DeValue},
};

use crate::{
    read_error::{Problem, ReadError},
    shown::whole_number,
};

/// A value of TOML that serde reads. Unlike the toml crate's own, it keeps the kind of error separate from its text,
/// takes a file's keys in the file's order, and reads values of several texts.
#[derive(Clone, Copy)]
pub(crate) struct Reader<'a>(pub(crate) &'a Spanned<DeValue<'a>>);

impl<'de> Deserializer<'de> for Reader<'_> {
    type Error = ReadError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        match self.0.get_ref() {
            DeValue::String(text) => visitor.visit_str(text),
            DeValue::Integer(number) => {
                let number = whole_number(number).ok_or_else(|| ReadError::new(Problem::NumberOutOfRange))?;
                match i64::try_from(number) {
                    Ok(number) => visitor.visit_i64(number),
                    Err(_) => visitor.visit_i128(number),
                }
            }
            DeValue::Boolean(value) => visitor.visit_bool(*value),
            DeValue::Array(values) => visitor.visit_seq(Elements(values.iter())),
            DeValue::Table(table) => visitor.visit_map(Entries::of(table)),
            // No key takes one.
            DeValue::Float(_) => Err(ReadError::invalid_type(Unexpected::Other("float"), &visitor)),
            DeValue::Datetime(_) => Err(ReadError::invalid_type(Unexpected::Other("date"), &visitor)),
        }
    }

    /// Only from a table: serde would take an array too, for the fields in their order.
    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, ReadError> {
        match self.0.get_ref() {
            DeValue::Table(table) => visitor.visit_map(Entries::of(table)),
            _ => Err(ReadError::invalid_type(Unexpected::Other("no table"), &visitor)),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, ReadError> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        visitor.visit_unit()
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct seq tuple
        tuple_struct map enum identifier
    }
}

/// The elements of an array that are still to be read.
struct Elements<'a>(std::slice::Iter<'a, Spanned<DeValue<'a>>>);

impl<'de> SeqAccess<'de> for Elements<'_> {
    type Error = ReadError;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, ReadError> {
        let Some(value) = self.0.next() else {
            return Ok(None);
        };
        let element = seed.deserialize(Reader(value));
        element
            .map(Some)
            .map_err(|error| error.in_value(value, value.span().start))
    }
}

type Entry<'a> = (&'a Spanned<DeString<'a>>, &'a Spanned<DeValue<'a>>);

/// The entries of a table that are still to be read, and the one whose key was.
struct Entries<'a> {
    rest: std::vec::IntoIter<Entry<'a>>,
    current: Option<Entry<'a>>,
}

impl<'a> Entries<'a> {
    /// In the file's order, but a table's own values before its sections: reporting a misspelt key is more useful than
    /// the key that is missing in a section because of it.
    fn of(table: &'a DeTable<'a>) -> Self {
        let mut entries: Vec<Entry<'a>> = table.iter().collect();
        entries.sort_by_key(|(key, value)| (is_section(value), key.span().start));
        Self {
            rest: entries.into_iter(),
            current: None,
        }
    }
}

/// A table, or an array of them.
fn is_section(value: &Spanned<DeValue<'_>>) -> bool {
    match value.get_ref() {
        DeValue::Array(values) => values.first().is_some_and(|value| value.get_ref().is_table()),
        value => value.is_table(),
    }
}

impl<'de> MapAccess<'de> for Entries<'_> {
    type Error = ReadError;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, ReadError> {
        self.current = self.rest.next();
        let Some((key, _)) = self.current else {
            return Ok(None);
        };
        let read: Result<K::Value, ReadError> = seed.deserialize(key.get_ref().as_ref().into_deserializer());
        read.map(Some).map_err(|error| error.at(key.span().start))
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, ReadError> {
        let Some((key, value)) = self.current.take() else {
            return Err(ReadError::custom("a value is read before its key"));
        };
        let read = seed.deserialize(Reader(value));
        read.map_err(|error| error.in_value(value, key.span().start).under(key.get_ref()))
    }
}
