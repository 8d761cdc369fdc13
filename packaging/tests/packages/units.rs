//! systemd finds nothing wrong with the units, and little that an attacker could do from them.

use std::{fs, path::Path};

use tempfile::TempDir;

use crate::{
    installed::{checkout, install_programs},
    tool::{Tool, names, run},
};

const SYSTEMD_ANALYZE: Tool = Tool::new("systemd-analyze", "systemd");

/// Where systemd has its own units.
const UNITS: &str = "usr/lib/systemd/system";

/// The worst exposure of a unit, from 0 to 10.
const MAX_EXPOSURE: f32 = 2.0;

#[test]
fn systemd_finds_nothing_wrong_with_the_units() {
    let Some(mut verify) = SYSTEMD_ANALYZE.command() else {
        return;
    };
    let root = TempDir::new().unwrap();
    let units = root.path().join(UNITS);
    fs::create_dir_all(&units).unwrap();
    // What the units refer to.
    let of_systemd = Path::new("/").join(UNITS);
    let is_referred_to = |name: &String| [".target", ".slice", ".socket"].iter().any(|kind| name.ends_with(kind));
    for name in names(&of_systemd).iter().filter(|name| is_referred_to(name)) {
        if of_systemd.join(name).is_file() {
            fs::copy(of_systemd.join(name), units.join(name)).unwrap();
        }
    }
    install_programs(&root.path().join("usr/bin"));
    fs::create_dir_all(root.path().join("bin")).unwrap();
    fs::copy("/bin/kill", root.path().join("bin/kill")).unwrap();
    let own = names(&checkout("packaging/systemd"));
    assert_eq!(own, ["actr-lite-registry.service", "stream-register-server.service"]);
    verify
        .arg("verify")
        .arg("--man=no")
        .arg(format!("--root={}", root.path().display()));
    for name in own {
        fs::copy(checkout("packaging/systemd").join(&name), units.join(&name)).unwrap();
        verify.arg(name);
    }
    assert_eq!(run(&mut verify), "");
}

#[test]
fn the_units_expose_little() {
    for name in names(&checkout("packaging/systemd")) {
        let Some(mut security) = SYSTEMD_ANALYZE.command() else {
            return;
        };
        let unit = checkout("packaging/systemd").join(name);
        let report = run(security.args(["security", "--offline=true", "--no-pager"]).arg(unit));
        let (_, exposure) = report.split_once("Overall exposure level for ").unwrap();
        let exposure: f32 = exposure.split_whitespace().nth(1).unwrap().parse().unwrap();
        assert!(exposure <= MAX_EXPOSURE, "{report}");
    }
}
