//! What a client is built of. The programs of the other tests are built together, and share their features.

use std::{env, process::Command};

#[test]
fn a_client_on_its_own_is_built_without_a_registry() {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let tree = Command::new(cargo)
        .args(["tree", "--offline", "--locked", "--package", "client"])
        .args(["--edges", "normal", "--prefix", "none"])
        .output()
        .unwrap();
    assert!(tree.status.success(), "{}", String::from_utf8_lossy(&tree.stderr));
    let tree = String::from_utf8(tree.stdout).unwrap();
    let has = |package: &str| tree.lines().any(|line| line.split(' ').next() == Some(package));
    assert!(has("actr-lite-registry-client"), "{tree}");
    assert!(!has("actr-lite-registry"), "{tree}");
}
