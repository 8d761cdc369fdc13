//! The crates of the runtime import in one direction.

use std::{env, fs, io, path::PathBuf};

use layers::{
    breach::{Breach, circles, detours, through_root, upward},
    modules::{Modules, sources},
    tokens::tokens,
};

/// The layers of the node, the lowest first: docs/architecture.md says what each knows.
const NODE: [&str; 17] = [
    "sync",
    "readable_duration",
    "tasks",
    "trace",
    "tally",
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

/// The layers of the registry's client, the lowest first: what a link decides does not know who does it.
const REGISTRY_CLIENT: [&str; 25] = [
    "registry_url",
    "refusal_code",
    "error",
    "turn_credential",
    "identity",
    "renewal_token",
    "registration",
    "candidate",
    "spread",
    "request",
    "answer",
    "load",
    "relayed",
    "state",
    "link",
    "config",
    "dial",
    "http_answer",
    "upgrade",
    "ais",
    "signaling",
    "connection",
    "shared",
    "driver",
    "registry_link",
];

/// Where all is decided by arguments alone.
const DECISIONS: [&str; 3] = ["wire/src", "engine/src", "registry-client/src/link"];

/// What is no argument: who runs code, what time it is, chance, and other threads.
const SURROUNDINGS: [&str; 6] = ["tokio", "Instant", "SystemTime", "rand", "Mutex", "thread"];

fn crates() -> PathBuf {
    // Cargo sets it for a test that runs: a path that was compiled in may be another clone's.
    PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default()).join("../..")
}

fn node() -> io::Result<Modules> {
    Modules::read(&crates().join("node/src"))
}

#[track_caller]
fn assert_none(breaches: &[Breach]) {
    let lines: Vec<_> = breaches.iter().map(Breach::to_string).collect();
    assert!(lines.is_empty(), "{}", lines.join("\n"));
}

/// What all crates of the runtime get wrong, each with its name.
fn of_all(find: impl Fn(&Modules) -> Vec<Breach>) -> io::Result<String> {
    let mut lines = String::new();
    for entry in fs::read_dir(crates())? {
        let folder = entry?.path();
        if folder.join("src").is_dir() {
            for breach in find(&Modules::read(&folder.join("src"))?) {
                lines += &format!("{}: {breach}\n", folder.display());
            }
        }
    }
    Ok(lines)
}

#[test]
fn layers_of_the_node_import_from_those_below_only() {
    assert_none(&upward(&node().unwrap(), &NODE));
}

#[test]
fn layers_of_the_registry_client_import_from_those_below_only() {
    let client = Modules::read(&crates().join("registry-client/src")).unwrap();
    assert_none(&upward(&client, &REGISTRY_CLIENT));
}

#[test]
fn what_decides_knows_no_tokio_no_clock_no_chance_and_no_lock() {
    for folder in DECISIONS {
        for (file, source) in sources(&crates().join(folder)).unwrap() {
            let tokens = tokens(&source);
            let found = tokens.iter().find(|token| SURROUNDINGS.contains(&token.as_str()));
            assert_eq!(found, None, "{folder}/{file}");
        }
    }
}

#[test]
fn every_import_of_the_node_names_the_defining_module() {
    assert_none(&detours(&node().unwrap()));
}

#[test]
fn no_crate_imports_from_itself_through_its_root() {
    let breaches = of_all(through_root).unwrap();
    assert!(breaches.is_empty(), "{breaches}");
}

#[test]
fn no_crate_has_files_that_import_in_a_circle() {
    let breaches = of_all(circles).unwrap();
    assert!(breaches.is_empty(), "{breaches}");
}
