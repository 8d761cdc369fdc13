use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use crate::key_path::dotted;

/// A file that has every key once, with an example: what errors suggest is taken from it. In each section, keys that
/// must be there come first.
#[derive(Clone, Copy)]
pub(crate) struct Reference(&'static str);

/// Every key of an `Actr.toml`.
pub(crate) const ACTR_TOML: Reference = Reference(include_str!("../reference/Actr.toml"));

/// Every key of an `Actr.lock.toml`.
pub(crate) const ACTR_LOCK_TOML: Reference = Reference(include_str!("../reference/Actr.lock.toml"));

/// Stands for all names where the author of a file chooses them.
const ANY_NAME: &str = "any-name";

/// What to add to a file in which a key is missing.
pub(crate) struct Addition {
    /// The sections that are missing with it.
    pub(crate) sections: Vec<&'static str>,
    pub(crate) key: &'static str,
    /// A line that would be valid.
    pub(crate) example: &'static str,
}

impl Reference {
    /// What to add where `key`, the name of a value or of a section, is missing from the section at `path`.
    pub(crate) fn addition(self, path: &[String], key: &'static str) -> Addition {
        let mut addition = Addition {
            sections: Vec::new(),
            key,
            example: key,
        };
        let Ok(root) = DeTable::parse(self.0) else {
            return addition;
        };
        let mut section = path.iter().try_fold(root.get_ref(), |table, name| {
            table_in(table.get(name.as_str()).or_else(|| table.get(ANY_NAME))?)
        });
        while let Some((key, value)) = section.and_then(|section| section.get_key_value(addition.key)) {
            let DeValue::Table(table) = value.get_ref() else {
                let line = key.span().start..value.span().end;
                addition.example = self.0.get(line).unwrap_or(addition.key);
                break;
            };
            let first = table.keys().map(Spanned::span).min_by_key(|span| span.start);
            addition.sections.push(addition.key);
            addition.key = first.and_then(|span| self.0.get(span)).unwrap_or_default();
            section = Some(table);
        }
        addition
    }

    /// The example for a value.
    pub(crate) fn example<'k>(self, path: impl IntoIterator<Item = &'k str>) -> Option<DeValue<'static>> {
        let root = Spanned::new(0..0, DeValue::Table(DeTable::parse(self.0).ok()?.into_inner()));
        let found = path.into_iter().try_fold(&root, |value, name| {
            let table = table_in(value)?;
            table.get(name).or_else(|| table.get(ANY_NAME))
        });
        Some(found?.get_ref().clone())
    }

    /// The path of a key, if only one section has it.
    pub(crate) fn only_path_of(self, key: &str) -> Option<String> {
        let root = DeTable::parse(self.0).ok()?;
        let mut sections = Vec::new();
        collect_sections_with(key, root.get_ref(), "", &mut sections);
        match sections.as_slice() {
            [section] => Some(dotted(section, key)),
            _ => None,
        }
    }
}

fn collect_sections_with(key: &str, table: &DeTable<'_>, section: &str, found: &mut Vec<String>) {
    if table.contains_key(key) {
        found.push(section.into());
    }
    for (name, value) in table {
        if let Some(table) = table_in(value) {
            collect_sections_with(key, table, &dotted(section, name.get_ref()), found);
        }
    }
}

/// A table, or the one that an array shows an example of.
fn table_in<'v, 'a>(value: &'v Spanned<DeValue<'a>>) -> Option<&'v DeTable<'a>> {
    match value.get_ref() {
        DeValue::Table(table) => Some(table),
        DeValue::Array(values) => values.first()?.get_ref().as_table(),
        _ => None,
    }
}
