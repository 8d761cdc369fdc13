//! Making a document readable behind a problem that was found in it, so that the next problem is found too.

use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use crate::{
    read_error::{Problem, ReadError},
    reference::Reference,
};

/// Takes what an error is about out of the document, or puts the reference's example there. Returns whether something has
/// changed.
pub(crate) fn mend(root: &mut Spanned<DeValue<'_>>, error: &ReadError, reference: Reference) -> bool {
    let (path, offset) = (error.path(), error.offset);
    match &error.problem {
        Problem::UnknownKey { key, .. } => {
            table_at(root, &path, offset).is_some_and(|table| table.remove(key.as_str()).is_some())
        }
        Problem::MissingKey(key) => {
            let addition = reference.addition(&path, key);
            // All of a section that is missing, so that one problem is told of it.
            let added = match addition.sections.is_empty() {
                true => vec![addition.key],
                false => addition.sections,
            };
            let whole = path.iter().map(String::as_str).chain(added.iter().copied());
            let (Some(example), Some(table)) = (reference.example(whole), table_at(root, &path, offset)) else {
                return remove(root, &path, offset);
            };
            insert(table, &added, placed(without_sections(example), offset));
            true
        }
        Problem::WrongType { .. } | Problem::Invalid { .. } | Problem::NumberOutOfRange => {
            let example = reference.example(path.iter().map(String::as_str));
            match (example, value_at(root, &path, offset)) {
                (Some(example), Some(value)) => {
                    replace(value, example, offset);
                    true
                }
                _ => remove(root, &path, offset),
            }
        }
    }
}

/// The value, or the element of an array that begins at `offset`.
fn replace<'a>(value: &mut Spanned<DeValue<'a>>, example: DeValue<'a>, offset: usize) {
    if let (DeValue::Array(values), DeValue::Array(examples)) = (value.get_mut(), &example)
        && let Some(example) = examples.first()
        && let Some(element) = values.iter_mut().find(|element| element.span().start == offset)
    {
        *element = placed(example.get_ref().clone(), offset);
        return;
    }
    *value = placed(example, offset);
}

fn remove(root: &mut Spanned<DeValue<'_>>, path: &[String], offset: usize) -> bool {
    let Some((key, section)) = path.split_last() else {
        return false;
    };
    table_at(root, section, offset).is_some_and(|table| table.remove(key.as_str()).is_some())
}

/// A section without those in it: they may be missing too.
fn without_sections(value: DeValue<'_>) -> DeValue<'_> {
    match value {
        DeValue::Table(table) => {
            let values = table.into_iter().filter(|(_, value)| !value.get_ref().is_table());
            DeValue::Table(values.collect())
        }
        value => value,
    }
}

fn insert<'a>(table: &mut DeTable<'a>, path: &[&str], value: Spanned<DeValue<'a>>) {
    let Some((key, rest)) = path.split_first() else {
        return;
    };
    let span = value.span();
    let mut inner = value;
    if !rest.is_empty() {
        let mut section = DeTable::new();
        insert(&mut section, rest, inner);
        inner = Spanned::new(span.clone(), DeValue::Table(section));
    }
    table.insert(Spanned::new(span, (*key).to_owned().into()), inner);
}

/// The table that a path leads to; in an array the one that an error at `offset` is about.
fn table_at<'v, 'a>(root: &'v mut Spanned<DeValue<'a>>, path: &[String], offset: usize) -> Option<&'v mut DeTable<'a>> {
    match element_at(value_at(root, path, offset)?, offset)?.get_mut() {
        DeValue::Table(table) => Some(table),
        _ => None,
    }
}

fn value_at<'v, 'a>(
    root: &'v mut Spanned<DeValue<'a>>,
    path: &[String],
    offset: usize,
) -> Option<&'v mut Spanned<DeValue<'a>>> {
    path.iter()
        .try_fold(root, |value, key| match element_at(value, offset)?.get_mut() {
            DeValue::Table(table) => table.get_mut(key.as_str()),
            _ => None,
        })
}

/// The element of an array that begins last before `offset`; anything else as it is.
fn element_at<'v, 'a>(value: &'v mut Spanned<DeValue<'a>>, offset: usize) -> Option<&'v mut Spanned<DeValue<'a>>> {
    if !value.get_ref().is_array() {
        return Some(value);
    }
    match value.get_mut() {
        DeValue::Array(values) => values.iter_mut().rev().find(|element| element.span().start <= offset),
        _ => None,
    }
}

/// A value with everything in it at one place.
pub(crate) fn placed(value: DeValue<'_>, offset: usize) -> Spanned<DeValue<'_>> {
    let here = offset..offset;
    let value = match value {
        DeValue::Array(values) => {
            let values = values.into_iter().map(|value| placed(value.into_inner(), offset));
            DeValue::Array(values.collect())
        }
        DeValue::Table(table) => {
            let entries = table.into_iter().map(|(key, value)| {
                let key = Spanned::new(here.clone(), key.into_inner());
                (key, placed(value.into_inner(), offset))
            });
            DeValue::Table(entries.collect())
        }
        scalar => scalar,
    };
    Spanned::new(here, value)
}
