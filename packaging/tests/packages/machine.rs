//! The packages on a machine of their own: its systemd starts, restarts and stops what they install.

use std::{fs, process::Command};

use tempfile::TempDir;

use crate::{debian::packages, installed::checkout};

/// The exit code if there can't be such a machine here.
const NO_MACHINE: i32 = 77;

/// Runs a script there, with the packages in `/machine`.
fn run_on_a_machine(script: &str) {
    let Some(packages) = packages() else { return };
    let folder = TempDir::new().unwrap();
    for package in packages {
        fs::copy(&package, folder.path().join(package.file_name().unwrap())).unwrap();
    }
    fs::write(folder.path().join("script"), script).unwrap();
    let mut machine = Command::new(checkout("packaging/tests/with-systemd"));
    let ended = machine.arg(folder.path()).output().unwrap();
    if ended.status.code() == Some(NO_MACHINE) {
        let reason = String::from_utf8_lossy(&ended.stdout);
        return eprintln!("skipped: no machine to install packages on: {}", reason.trim());
    }
    let read = |name: &str| fs::read_to_string(folder.path().join(name)).unwrap_or_default();
    let output = read("output");
    let said = String::from_utf8_lossy(&ended.stderr);
    assert!(output.ends_with("\nall is well\n"), "{said}{}{output}", read("console"));
}

#[test]
fn systemd_runs_what_the_packages_install_until_they_are_purged() {
    run_on_a_machine(
        r#"
        export DEBIAN_FRONTEND=noninteractive
        client() { stream-register-client --actr-toml /etc/stream-register/client/Actr.toml "$@"; }
        pid() { systemctl show --property MainPID --value "$1"; }

        trap 'systemctl status --no-pager --lines 20 stream-register-server actr-lite-registry' ERR
        dpkg --install /machine/*.deb
        systemctl is-active stream-register-server
        client 10
        systemctl reload stream-register-server
        client 10

        : The first connection to a socket starts a service, and a restart refuses nobody
        systemctl stop stream-register-server
        systemctl start stream-register-server.socket
        client 10
        systemctl restart --no-block stream-register-server
        client 10

        : An upgrade goes on with the new version
        systemctl restart stream-register-server
        before=$(pid stream-register-server)
        dpkg --install /machine/*.deb
        systemctl is-active stream-register-server stream-register-server.socket
        test "$(pid stream-register-server)" != "$before"

        : What is purged leaves nothing behind
        dpkg --purge stream-register-server
        ! systemctl is-active stream-register-server stream-register-server.socket || exit 1
        test ! -e /var/lib/private/stream-register-server

        : The registry is started by hand, and goes on after an upgrade too
        test "$(pid actr-lite-registry)" = 0
        systemctl start actr-lite-registry
        before=$(pid actr-lite-registry)
        dpkg --install /machine/actr-lite-registry_*.deb
        test "$(pid actr-lite-registry)" != "$before"
        systemctl is-active actr-lite-registry
        dpkg --purge actr-lite-registry
        ! systemctl is-active actr-lite-registry || exit 1

        test -z "$(systemctl list-units --failed --no-legend)"
        set +x
        echo "all is well"
        "#,
    );
}
