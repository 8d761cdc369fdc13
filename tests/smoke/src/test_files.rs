//! Tests can be read: their files are short, and so are their names.

use std::{
    env, fs,
    path::{Path, PathBuf},
};

/// A longer file of tests is split by promise.
const MAX_LINES: usize = 400;

/// A longer name says how, where it should say what.
const MAX_NAME_CHARS: usize = 60;

/// All Rust sources of the workspace, and of the workspaces inside of it.
pub(crate) fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() && name != "target" && !name.starts_with('.') {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found
}

fn is_test_attribute(line: &str) -> bool {
    line.starts_with("#[test]") || line.starts_with("#[tokio::test")
}

/// The names of a file's tests.
fn test_names(source: &str) -> Vec<&str> {
    let mut names = Vec::new();
    let mut is_test = false;
    for line in source.lines().map(str::trim) {
        is_test |= is_test_attribute(line);
        let name = line.trim_start_matches("async ").strip_prefix("fn ");
        if let Some((name, _)) = name.filter(|_| is_test).and_then(|rest| rest.split_once('(')) {
            names.push(name);
            is_test = false;
        }
    }
    names
}

/// Whether tests are what a file is for: it has some that are not in a module at its end, or it is in a folder for tests.
/// The simulator is a program of its own.
fn is_for_tests(path: &Path, source: &str) -> bool {
    let is_in = |folder| path.components().any(|part| part.as_os_str() == folder);
    source.lines().any(is_test_attribute) || (is_in("tests") && !is_in("simulation"))
}

pub(crate) fn workspace() -> PathBuf {
    let workspace = Path::new(&env::var_os("CARGO_MANIFEST_DIR").unwrap()).join("../..");
    workspace.canonicalize().unwrap()
}

#[test]
fn test_files_and_test_names_are_short() {
    let workspace = workspace();
    let (mut too_long, mut tests) = (Vec::new(), 0);
    for path in sources(&workspace) {
        let source = fs::read_to_string(&path).unwrap();
        let path = path.strip_prefix(&workspace).unwrap();
        let lines = source.lines().count();
        if is_for_tests(path, &source) && lines > MAX_LINES {
            too_long.push(format!("{} has {lines} lines: split it by promise", path.display()));
        }
        for name in test_names(&source) {
            tests += 1;
            let chars = name.chars().count();
            if chars > MAX_NAME_CHARS {
                too_long.push(format!("{}: {name} has {chars} characters", path.display()));
            }
        }
    }
    assert!(tests > 500, "only {tests} tests were found");
    assert!(too_long.is_empty(), "{}", too_long.join("\n"));
}
