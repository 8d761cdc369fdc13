//! systemd finds nothing wrong with the units, and little that an attacker could do from them. It passes sockets to the programs.

use std::{
    fs,
    io::{Read as _, Write as _},
    net::TcpStream,
    path::Path,
};

use programs::{Launch, WAIT_TIMEOUT, unused_port};
use tempfile::TempDir;

use crate::{
    installed::{checkout, install_programs, program_folder},
    tool::{Tool, names, run},
};

const SYSTEMD_ANALYZE: Tool = Tool::new("systemd-analyze", "systemd");

/// What starts a program as systemd does for a socket.
const SOCKET_ACTIVATE: Tool = Tool::new("systemd-socket-activate", "systemd");

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
    let expected = ["actr-lite-registry", "stream-register-server"]
        .map(|name| [".service", ".socket"].map(|kind| format!("{name}{kind}")));
    assert_eq!(own, expected.as_flattened());
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
    let names = names(&checkout("packaging/systemd"));
    for name in names.iter().filter(|name| name.ends_with(".service")) {
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

#[test]
fn the_first_connection_to_a_socket_starts_a_registry() {
    if SOCKET_ACTIVATE.command().is_none() {
        return;
    }
    let address = format!("127.0.0.1:{}", unused_port());
    let registry = Launch::new("registry", &program_folder().join("actr-lite-registry"));
    let registry = registry.args(["--listen", &address]);
    let registry = registry
        .under("systemd-socket-activate", &["--listen", &address])
        .spawn();
    registry.wait_for_line("Listening on ", WAIT_TIMEOUT);
    let mut connection = TcpStream::connect(&address).unwrap();
    connection.set_read_timeout(Some(WAIT_TIMEOUT)).unwrap();
    let request = format!("GET /readyz HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n");
    connection.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    connection.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
}
