//! The crates of the runtime import in one direction.

use std::{fs, io, path::PathBuf};

use layers::{
    breach::{Breach, circles, detours, upward},
    modules::Modules,
};

/// The layers of the node, the lowest first: docs/architecture.md says what each knows.
const NODE: [&str; 14] = [
    "readable_duration",
    "tasks",
    "settings",
    "limits",
    "lane",
    "stream",
    "error",
    "session",
    "peers",
    "contracts",
    "actor",
    "resumable",
    "node",
    "fuzzing",
];

/// Crates whose files still import from each other in circles.
const WITH_CIRCLES: [&str; 7] = ["codegen", "manifest", "net", "quota", "registry", "tls", "wire"];

fn crates() -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "..", "..", "actr-lite"].iter().collect()
}

fn node() -> io::Result<Modules> {
    Modules::read(&crates().join("node/src"))
}

#[track_caller]
fn assert_none(breaches: &[Breach]) {
    let lines: Vec<_> = breaches.iter().map(Breach::to_string).collect();
    assert!(lines.is_empty(), "{}", lines.join("\n"));
}

#[test]
fn layers_of_the_node_import_from_those_below_only() {
    assert_none(&upward(&node().unwrap(), &NODE));
}

#[test]
fn every_import_of_the_node_names_the_defining_module() {
    assert_none(&detours(&node().unwrap()));
}

#[test]
fn no_crate_has_files_that_import_in_a_circle() {
    for entry in fs::read_dir(crates()).unwrap() {
        let folder = entry.unwrap().path();
        let name = folder.file_name().unwrap().to_string_lossy().into_owned();
        if folder.join("src").is_dir() && !WITH_CIRCLES.contains(&name.as_str()) {
            let breaches = circles(&Modules::read(&folder.join("src")).unwrap());
            assert_none(&breaches);
        }
    }
}
