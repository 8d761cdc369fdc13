//! What a program is built of. Those of the other tests are built together, and share their features.

use std::{env, process::Command};

/// The packages of which one is built, with these features beside its default ones.
fn packages(package: &str, features: &str) -> Vec<String> {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let tree = Command::new(cargo)
        .args(["tree", "--offline", "--locked", "--package", package])
        .args(["--features", features, "--edges", "normal", "--prefix", "none"])
        .output()
        .unwrap();
    assert!(tree.status.success(), "{}", String::from_utf8_lossy(&tree.stderr));
    let tree = String::from_utf8(tree.stdout).unwrap();
    tree.lines()
        .filter_map(|line| line.split(' ').next().map(str::to_owned))
        .collect()
}

#[test]
fn a_client_on_its_own_is_built_without_a_registry() {
    let client = packages("client", "");
    let has = |package: &str| client.iter().any(|name| name == package);
    assert!(has("actr-lite-registry-client"), "{client:?}");
    assert!(!has("actr-lite-registry"), "{client:?}");
}

#[test]
fn programs_have_no_crate_of_webrtc_unless_they_ask_for_it() {
    for program in ["client", "server"] {
        for (features, expected) in [("", false), ("webrtc", true)] {
            let packages = packages(program, features);
            for package in ["actr-lite-webrtc", "str0m", "stun-types"] {
                let has = packages.iter().any(|name| name == package);
                assert_eq!(has, expected, "{package} in {program} with {features:?}");
            }
        }
    }
}
