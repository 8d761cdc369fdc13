//! A path that leads to a FIFO, a socket or a device is refused at once, and no file keeps a program from ending.

use std::{
    fs,
    io::{PipeWriter, Write as _, pipe},
    os::unix::net::UnixListener,
    path::{Path, PathBuf},
};

use harness::{Certificates, Deployment, Launch, Process, Signal, registry_url, unused_port};
use rustix::fs::{CWD, Mode, mkfifoat};

const FIFO: &str = "it is a FIFO, not a regular file";

const SECRET: &str = "open-sesame-0123456789";

/// Linux gives a pipe 64 KiB.
const MORE_THAN_A_PIPE_HOLDS: usize = 96 << 10;

fn fifo(path: &Path) {
    let _ = fs::remove_file(path);
    mkfifoat(CWD, path, Mode::RUSR | Mode::WUSR).unwrap();
}

#[track_caller]
fn assert_refused(program: Launch, path: &Path, reason: &str) {
    let finished = program.run();
    let path = path.display().to_string();
    finished.assert_fails_with(&[&path, reason]);
    assert_eq!(finished.stderr.lines().count(), 1, "one line: {}", finished.stderr);
}

fn new_fifo(deployment: &Deployment) -> PathBuf {
    let path = deployment.path("fifo");
    fifo(&path);
    path
}

#[test]
fn an_actr_toml_or_a_lock_that_is_a_fifo_is_refused() {
    let deployment = Deployment::new();
    let url = registry_url(unused_port());
    let lock = deployment.path("client/Actr.lock.toml");
    fifo(&lock);
    assert_refused(deployment.client(&url, 10), &lock, FIFO);
    for program in ["client", "server"] {
        let path = deployment.path(&format!("{program}/Actr.toml"));
        fifo(&path);
        let launch = match program {
            "client" => deployment.client(&url, 10),
            _ => deployment.server(),
        };
        assert_refused(launch, &path, FIFO);
    }
}

#[test]
fn an_actr_toml_that_is_a_socket_or_a_device_is_refused() {
    let deployment = Deployment::new();
    let socket = deployment.path("socket");
    let _listener = UnixListener::bind(&socket).unwrap();
    let server = |path: &Path| deployment.bare_server().arg("--actr-toml").arg(path);
    assert_refused(server(&socket), &socket, "it is a socket");
    let zero = Path::new("/dev/zero");
    assert_refused(server(zero), zero, "it is a device");
}

#[test]
fn a_secret_a_certificate_or_a_key_that_is_a_fifo_is_refused() {
    let deployment = Deployment::new();
    let fifo = new_fifo(&deployment);
    let files = Certificates::new(&deployment.path("certs")).files();
    let server = || deployment.server().config("system.signaling.url", registry_url(0));
    for key in [
        "system.deployment.realm_secret_file",
        "system.signaling.realms",
        "system.tls.ca",
    ] {
        assert_refused(server().config(key, fifo.display()), &fifo, FIFO);
    }
    for (cert, key) in [(&fifo, &files.key), (&files.cert, &fifo)] {
        let server = server()
            .config("system.tls.cert", cert.display())
            .config("system.tls.key", key.display());
        assert_refused(server, &fifo, FIFO);
        let registry = deployment
            .registry(0)
            .arg("--tls-cert")
            .arg(cert)
            .arg("--tls-key")
            .arg(key);
        assert_refused(registry, &fifo, FIFO);
    }
    assert_refused(deployment.registry(0).arg("--realms").arg(&fifo), &fifo, FIFO);
}

#[test]
fn a_registry_whose_own_files_are_fifos_is_refused() {
    let deployment = Deployment::new();
    let data_dir = deployment.path("registry-data");
    let registry = || deployment.registry(0).arg("--data-dir").arg(&data_dir);
    // It makes the directory.
    let first = registry().spawn();
    first.registry_url();
    drop(first);
    for name in ["lock", "signing-keys.toml"] {
        let path = data_dir.join(name);
        fifo(&path);
        assert_refused(registry(), &path, FIFO);
        fs::remove_file(&path).unwrap();
    }
    let audit_log = new_fifo(&deployment);
    assert_refused(
        deployment.registry(0).arg("--audit-log").arg(&audit_log),
        &audit_log,
        FIFO,
    );
}

#[test]
fn a_secret_may_come_through_a_pipe_that_a_shell_gives() {
    let deployment = Deployment::new();
    let (output, mut input) = pipe().unwrap();
    let registry = deployment
        .registry(0)
        .args(["--realms", "/dev/stdin"])
        .stdin(output)
        .spawn();
    writeln!(input, "1 = \"{SECRET}\"").unwrap();
    drop(input);
    registry.registry_url();
}

#[test]
fn a_signal_ends_a_program_that_waits_for_a_pipe() {
    let deployment = Deployment::new();
    let url = registry_url(unused_port());
    for signal in [Signal::INT, Signal::TERM] {
        let registry = deployment.registry(0).args(["--realms", "/dev/stdin"]);
        let server = deployment.server().config("system.tls.ca", "/dev/stdin");
        for program in [registry, server] {
            let (program, _input) = waits_for_pipe(program);
            program.signal(signal);
            let finished = program.finish();
            assert_eq!(finished.code(), Some(0), "{}", finished.stderr);
        }
        let client = deployment.client(&url, 10).config("system.tls.ca", "/dev/stdin");
        let (client, _input) = waits_for_pipe(client);
        client.signal(signal);
        client.finish().assert_fails_with(&["before the node was running"]);
    }
}

/// The program, which has read something from its standard input, and waits for the rest until the writer is dropped.
fn waits_for_pipe(program: Launch) -> (Process, PipeWriter) {
    let (output, mut input) = pipe().unwrap();
    let program = program.stdin(output).spawn();
    // The last of it finds room when the first of it was read.
    input.write_all(&[b'#'; MORE_THAN_A_PIPE_HOLDS]).unwrap();
    (program, input)
}
