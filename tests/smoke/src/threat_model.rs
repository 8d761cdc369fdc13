//! docs/threat-model.md names the tests that show what it says: they exist.

use std::{env, fs, path::Path};

/// What is written as `path::test`.
fn named_tests(page: &str) -> Vec<(&str, &str)> {
    let quoted = page.split('`').skip(1).step_by(2);
    quoted
        .filter_map(|code| code.rsplit_once("::"))
        .filter(|(path, _)| path.ends_with(".rs"))
        .collect()
}

#[test]
fn every_test_that_the_threat_model_names_exists() {
    let workspace = Path::new(&env::var_os("CARGO_MANIFEST_DIR").unwrap()).join("../..");
    let page = fs::read_to_string(workspace.join("docs/threat-model.md")).unwrap();
    let tests = named_tests(&page);
    assert!(!tests.is_empty());
    for (path, test) in tests {
        let source = fs::read_to_string(workspace.join(path)).unwrap_or_else(|error| panic!("{path}: {error}"));
        let definition = format!("fn {test}()");
        let before: Vec<_> = source.lines().take_while(|line| !line.contains(&definition)).collect();
        assert!(before.len() < source.lines().count(), "{path} has no {test}");
        let attributes = before.iter().rev().take_while(|line| line.trim().starts_with("#["));
        assert!(
            attributes.into_iter().any(|line| line.contains("test")),
            "{test} in {path} is no test"
        );
    }
}

#[test]
fn every_check_of_the_threat_model_names_a_test() {
    let workspace = Path::new(&env::var_os("CARGO_MANIFEST_DIR").unwrap()).join("../..");
    let page = fs::read_to_string(workspace.join("docs/threat-model.md")).unwrap();
    for heading in ["| check | where | stops | tests |", "| what | stops | tests |"] {
        let rows = page.lines().skip_while(|line| *line != heading).skip(2);
        let rows: Vec<_> = rows.take_while(|line| line.starts_with('|')).collect();
        assert!(!rows.is_empty(), "no table {heading}");
        for row in rows {
            assert!(!named_tests(row).is_empty(), "{row}");
        }
    }
}
