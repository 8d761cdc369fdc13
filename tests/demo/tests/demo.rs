//! `cargo demo` shows the real programs at work, and ends as the client ends.
#![allow(clippy::unwrap_used, reason = "a test that can't go on has failed")]

use std::{
    fs,
    io::{self, Read as _, Write as _, pipe},
    net::TcpStream,
    os::unix::fs::symlink,
    path::Path,
    sync::Once,
};

use programs::{Checkout, Launch, Process, Program, Progress, Signal, WAIT_TIMEOUT, build, own_program};
use tempfile::TempDir;

/// The demo. What it shows is built by then: a build may take longer than a test waits.
fn demo() -> Launch {
    static BUILT: Once = Once::new();
    BUILT.call_once(|| {
        let programs = [Program::SERVER, Program::CLIENT, Program::DEV_CERTS];
        build(&Checkout::of_this_run().unwrap(), &programs, Progress::OnFailure).unwrap();
    });
    Launch::new("demo", &own_program("demo"))
}

#[test]
fn both_logs_are_shown_and_the_summary_is_printed() {
    let demo = demo().arg("10").run();
    assert_eq!(demo.code(), Some(0));
    let client: Vec<_> = demo
        .stderr
        .lines()
        .filter(|line| line.starts_with("client | "))
        .collect();
    let received = client
        .iter()
        .filter(|line| line.contains("Received: [server] Stream message "));
    assert_eq!(received.count(), 10, "{client:#?}");
    assert!(
        demo.stderr
            .lines()
            .any(|line| line.starts_with("server | ") && line.contains("all 10 frames sent"))
    );
    assert_eq!(demo.stdout.lines().count(), 1, "{}", demo.stdout);
    assert!(demo.stdout.contains("received 10/10 messages"), "{}", demo.stdout);
    assert!(!demo.stderr.contains('\x1b'), "colours in a pipe");
}

#[test]
fn with_tls_both_programs_speak_nothing_else() {
    let demo = demo().args(["10", "--tls", "--json"]).run();
    assert_eq!(demo.code(), Some(0));
    assert!(demo.stdout.starts_with('{'), "{}", demo.stdout);
    assert!(demo.stderr.contains("registry listening on wss://"), "{}", demo.stderr);
    assert!(demo.stderr.contains("all 10 frames sent"), "{}", demo.stderr);
}

#[test]
fn further_arguments_are_the_clients() {
    let demo = demo().args(["3", "--json"]).run();
    assert_eq!(demo.code(), Some(0));
    assert!(demo.stdout.starts_with('{'), "{}", demo.stdout);
}

#[test]
fn the_exit_code_is_the_clients() {
    let demo = demo()
        .args(["3", "--config", "system.deployment.realm_id=2", "--timeout", "500ms"])
        .run();
    assert_eq!(demo.code(), Some(1));
}

/// What the server answers at this address of its page.
fn get(page: &str, path: &str) -> String {
    let host = page.trim_start_matches("http://").trim_end_matches('/');
    let mut connection = TcpStream::connect(host).unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n");
    connection.write_all(request.as_bytes()).unwrap();
    io::read_to_string(connection).unwrap()
}

/// Where the demo says that the page is.
fn page_of(demo: &Process) -> String {
    let line = demo.wait_for_line("in a browser to watch", WAIT_TIMEOUT);
    line.split_whitespace().nth(1).unwrap().to_owned()
}

#[test]
fn with_a_page_a_stream_is_to_be_watched_until_ctrl_c() {
    let demo = demo().arg("--page").spawn();
    let page = page_of(&demo);
    assert!(get(&page, "/").contains("<!doctype html>"));
    demo.wait_for_line("sending 300 frames", WAIT_TIMEOUT);
    let status = get(&page, "/api/v1/status");
    assert!(
        status.contains("StreamEchoClient") && status.contains("\"expected\":300"),
        "{status}"
    );
    demo.signal(Signal::INT);
    assert_eq!(demo.finish().code(), Some(0));
}

#[test]
fn with_a_page_one_client_comes_after_another() {
    let demo = demo().args(["--page", "2"]).spawn();
    let received = demo.output().wait_for_nth("received 2/2 messages", 2, WAIT_TIMEOUT);
    received.unwrap();
    demo.signal(Signal::INT);
    assert_eq!(demo.finish().code(), Some(0));
    assert_eq!(demo.lines_with("server ready").len(), 1);
}

#[test]
fn with_a_page_a_client_that_fails_ends_the_demo() {
    let demo = demo().args(["--page", "--timeout", "0s"]).run();
    assert_eq!(demo.code(), Some(2));
}

#[test]
fn a_wrong_command_line_is_refused() {
    assert_eq!(demo().run().code(), Some(2));
    assert_eq!(demo().arg("--json").run().code(), Some(2));
    let demo = demo().arg("3000000000").run();
    assert_eq!(demo.code(), Some(2));
    assert!(demo.stderr.contains("2147483647"), "{}", demo.stderr);
}

#[test]
fn an_interrupt_ends_both_programs() {
    let demo = demo().arg("1000000").spawn();
    demo.wait_for_line("sending 1000000 frames", WAIT_TIMEOUT);
    demo.signal(Signal::INT);
    assert_eq!(demo.finish().code(), Some(1));
}

/// Makes a second checkout, which shares the target folder of this one: links to all that is in this one, so that nothing
/// has to be compiled for it, and manifests of its own.
fn copy_checkout(to: &Path) {
    const WITH_MANIFESTS: [&str; 2] = ["server", "client"];
    let here = Checkout::of_this_run().unwrap();
    for folder in [""].into_iter().chain(WITH_MANIFESTS) {
        fs::create_dir_all(to.join(folder)).unwrap();
        for entry in fs::read_dir(here.root().join(folder)).unwrap() {
            let (from, name) = entry.map(|entry| (entry.path(), entry.file_name())).unwrap();
            let copy = to.join(folder).join(&name);
            if name == "Actr.toml" {
                fs::copy(from, copy).unwrap();
            } else if !WITH_MANIFESTS.iter().any(|own| name == *own) {
                symlink(from, copy).unwrap();
            }
        }
    }
}

#[test]
fn it_shows_the_checkout_that_it_is_run_in() {
    let folder = TempDir::new().unwrap();
    let other = folder.path().join("another checkout");
    copy_checkout(&other);
    // As cargo runs it there, when it finds it built in the shared target folder.
    let demo = || demo().env("CARGO_MANIFEST_DIR", other.join("tests/demo"));
    let shown = demo().arg("3").run();
    assert_eq!(shown.code(), Some(0), "{}", shown.stderr);

    let manifest = other.join("server/Actr.toml");
    fs::write(&manifest, "edition = 0").unwrap();
    let failed = demo().arg("3").run();
    assert_eq!(failed.code(), Some(1));
    assert!(
        failed.stderr.contains(manifest.to_str().unwrap()),
        "{manifest:?} is not in: {}",
        failed.stderr
    );
}

#[test]
fn a_failed_build_is_shown_as_it_is_typed() {
    let folder = TempDir::new().unwrap();
    let broken = folder.path().join("a broken checkout");
    for package in ["server", "client"] {
        fs::create_dir_all(broken.join(package)).unwrap();
        fs::write(broken.join(package).join("Actr.toml"), "").unwrap();
    }
    let failed = demo().env("CARGO_MANIFEST_DIR", &broken).arg("3").run();
    assert_eq!(failed.code(), Some(1));
    let error = failed
        .stderr
        .lines()
        .find(|line| line.starts_with("error: cargo build "));
    let error = error.unwrap_or_else(|| panic!("no command in: {}", failed.stderr));
    assert!(error.contains("--package server --bin server"), "{error}");
    assert!(error.contains(broken.to_str().unwrap()), "{error}");
    assert!(!error.contains("env -u") && !error.contains("CARGO_"), "{error}");
}

#[test]
fn outside_of_a_checkout_it_says_where_to_go() {
    let folder = TempDir::new().unwrap();
    let lost = demo().env("CARGO_MANIFEST_DIR", folder.path()).arg("3").run();
    assert_eq!(lost.code(), Some(1));
    assert!(
        lost.stderr.contains("in a checkout of stream-register"),
        "{}",
        lost.stderr
    );
}

#[test]
fn a_demo_whose_log_reader_stands_still_stops_at_a_signal() {
    let (mut reader, writer) = pipe().unwrap();
    // The client logs each message, without an end.
    let demo = demo().args(["2000000000", "-v"]).stderr(writer).spawn();
    let (mut text, mut buffer) = (Vec::new(), [0; 4096]);
    while !String::from_utf8_lossy(&text).contains("Received: ") {
        let len = reader.read(&mut buffer).unwrap();
        text.extend_from_slice(&buffer[..len]);
    }
    demo.signal(Signal::INT);
    assert_eq!(demo.wait_exit(WAIT_TIMEOUT).code(), Some(1));
}
