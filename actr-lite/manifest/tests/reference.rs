//! The reference has every key, so that errors can suggest each.
#![allow(clippy::unwrap_used, reason = "a test that can't go on has failed")]

use std::path::Path;

use actr_lite_manifest::{ConfigOverride, Lock, Manifest, ManifestError};
use toml::{Table, Value};

const ACTR_TOML: &str = include_str!("../reference/Actr.toml");
const ACTR_LOCK_TOML: &str = include_str!("../reference/Actr.lock.toml");

/// Stands for all names in a section whose author chooses them.
const ANY_NAME: &str = "any-name";

/// Left out of the reference: the line of the first is also the example for `rules`, which is better short, and the second
/// is an older name of another key.
const LEFT_OUT: [&str; 2] = ["realm", "max_call_bytes_per_peer"];

/// Each section's path, whether it is an element of an array, and its keys.
fn sections(table: &Table, path: &str, in_array: bool, found: &mut Vec<(String, bool, Vec<String>)>) {
    if !table.contains_key(ANY_NAME) {
        found.push((path.into(), in_array, table.keys().cloned().collect()));
    }
    for (key, value) in table {
        let path = if path.is_empty() {
            key.clone()
        } else {
            format!("{path}.{key}")
        };
        match value {
            Value::Table(table) => sections(table, &path, false, found),
            Value::Array(values) => {
                if let Some(Value::Table(table)) = values.first() {
                    sections(table, &path, true, found);
                }
            }
            _ => {}
        }
    }
}

#[track_caller]
fn assert_keys(error: ManifestError, mut keys: Vec<String>) {
    let ManifestError::UnknownKey { known, .. } = error else {
        panic!("{error}");
    };
    let mut known: Vec<&str> = known.iter().copied().filter(|key| !LEFT_OUT.contains(key)).collect();
    known.sort_unstable();
    keys.sort_unstable();
    assert_eq!(keys, known);
}

#[test]
fn the_reference_can_be_read() {
    Manifest::parse(ACTR_TOML, Path::new("Actr.toml"), &[]).unwrap_or_else(|error| panic!("{error}"));
    let digits = "0".repeat(64);
    let lock = ACTR_LOCK_TOML.replace("...", &digits);
    Lock::parse(&lock, Path::new("Actr.lock.toml")).unwrap_or_else(|error| panic!("{error}"));
}

#[test]
fn the_reference_has_every_key_of_each_section() {
    let mut found = Vec::new();
    sections(&ACTR_TOML.parse().unwrap(), "", false, &mut found);
    assert!(found.len() > 10);
    for (path, in_array, keys) in found {
        let unknown = match (path.as_str(), in_array) {
            ("", _) => "zzz=1".into(),
            (path, false) => format!("{path}.zzz=1"),
            (path, true) => format!("{path}=[{{ zzz = 1 }}]"),
        };
        let unknown: ConfigOverride = unknown.parse().unwrap();
        let error = Manifest::parse(ACTR_TOML, Path::new("Actr.toml"), &[unknown])
            .unwrap_err()
            .into_first();
        assert_keys(error, keys);
    }
}

#[test]
fn the_locks_reference_has_every_key_of_each_section() {
    let mut found = Vec::new();
    sections(&ACTR_LOCK_TOML.parse().unwrap(), "", false, &mut found);
    assert_eq!(found.len(), 4);
    for (path, in_array, keys) in found {
        let header = match (path.as_str(), in_array) {
            ("", _) => String::new(),
            (path, false) => format!("[{path}]\n"),
            (path, true) => format!("[[{path}]]\n"),
        };
        let digits = "0".repeat(64);
        let text = ACTR_LOCK_TOML.replace("...", &digits);
        let text = text.replacen(&header, &format!("{header}zzz = 1\n"), 1);
        let error = Lock::parse(&text, Path::new("Actr.lock.toml")).unwrap_err();
        assert_keys(error, keys);
    }
}
