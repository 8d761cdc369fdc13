//! Nobody has to read what a program prints: it serves, receives and ends all the same.

use std::io::{PipeReader, PipeWriter, Read as _, Write as _, pipe};

use harness::{Deployment, Signal, Summary, WAIT_TIMEOUT};
use rustix::pipe::fcntl_setpipe_size;

/// The least that a pipe holds.
const PIPE_SIZE: usize = 4096;

/// A stream that would take a day.
const ENDLESS: u64 = 1_000_000;

/// A pipe that is full.
fn full_pipe() -> (PipeReader, PipeWriter) {
    let (reader, mut writer) = pipe().unwrap();
    let size = fcntl_setpipe_size(&writer, PIPE_SIZE).unwrap();
    writer.write_all(&vec![b'.'; size]).unwrap();
    (reader, writer)
}

/// Reads until this has come; all that came.
fn read_to(reader: &mut PipeReader, end: &str) -> String {
    let mut text = Vec::new();
    let mut buffer = [0; PIPE_SIZE];
    while !String::from_utf8_lossy(&text).contains(end) {
        let len = reader.read(&mut buffer).unwrap();
        assert!(len > 0, "ended without {end:?}: {}", String::from_utf8_lossy(&text));
        text.extend_from_slice(&buffer[..len]);
    }
    String::from_utf8(text).unwrap()
}

/// Starts a server whose log goes into a pipe, and reads that until the server is ready; the registry's URL.
fn read_to_ready(reader: &mut PipeReader) -> String {
    let log = read_to(reader, "server ready");
    let (_, rest) = log.split_once("registry listening on ").unwrap();
    rest.split_whitespace().next().unwrap().to_owned()
}

#[test]
fn a_server_whose_log_reader_has_gone_away_serves_on() {
    let deployment = Deployment::new();
    let (mut reader, writer) = pipe().unwrap();
    let server = deployment.server().args(["-v", "--interval", "20ms"]);
    let server = server.stderr(writer).spawn();
    let url = read_to_ready(&mut reader);
    let running = deployment.client(&url, 100).args(["--json", "-v"]).spawn();
    running.wait_for_line("Stream message 3 for", WAIT_TIMEOUT);
    drop(reader);
    for _ in 0..3 {
        Summary::of_success(&deployment.client(&url, 3).arg("--json").run(), 3);
    }
    assert_eq!(Summary::of_success(&running.finish(), 100).resumes, 0);
    // A stream that is dropped at the end tells its own end, to nobody.
    let broken = deployment.client(&url, ENDLESS).arg("-v").spawn();
    broken.wait_for_line("Stream message 3 for", WAIT_TIMEOUT);
    server.signal(Signal::TERM);
    broken.signal(Signal::KILL);
    assert_eq!(server.wait_exit(WAIT_TIMEOUT).code(), Some(0));
}

#[test]
fn a_log_reader_that_stands_still_stops_no_stream_and_no_signal() {
    let deployment = Deployment::new();
    let (mut reader, writer) = pipe().unwrap();
    fcntl_setpipe_size(&writer, PIPE_SIZE).unwrap();
    let server = deployment.server().arg("-vv").stderr(writer).spawn();
    let url = read_to_ready(&mut reader);
    // Each of them is worth some lines: the pipe is full after a few.
    for _ in 0..10 {
        Summary::of_success(&deployment.client(&url, 100).arg("--json").run(), 100);
    }
    server.signal(Signal::TERM);
    assert_eq!(server.wait_exit(WAIT_TIMEOUT).code(), Some(0));
}

#[test]
fn a_client_whose_log_nobody_reads_receives_its_stream() {
    let deployment = Deployment::new();
    let (_server, url) = deployment.start_server(&[]);
    let (_reader, writer) = full_pipe();
    let client = deployment
        .client(&url, 100)
        .args(["--json", "-vv"])
        .stderr(writer)
        .run();
    Summary::of_success(&client, 100);
}

#[test]
fn a_summary_that_nobody_reads_is_an_error() {
    let deployment = Deployment::new();
    let (_server, url) = deployment.start_server(&[]);
    let (_reader, full) = full_pipe();
    let closed = pipe().unwrap().1;
    for (stdout, cause) in [(full, "nobody reads it"), (closed, "ipe")] {
        let client = deployment.client(&url, 10).stdout(stdout).run();
        client.assert_fails_with(&["the summary cannot be printed", cause]);
    }
}

#[test]
fn a_client_whose_output_nobody_reads_stops_at_a_signal() {
    let deployment = Deployment::new();
    let (server, url) = deployment.start_server(&["--interval", "100ms"]);
    for (number, signal) in [Signal::INT, Signal::TERM].into_iter().enumerate() {
        let (_stdout, full_stdout) = full_pipe();
        let (_stderr, full_stderr) = full_pipe();
        let client = deployment
            .client(&url, ENDLESS)
            .stdout(full_stdout)
            .stderr(full_stderr)
            .spawn();
        let streams = server.output();
        streams.wait_for_nth("INFO sending ", number + 1, WAIT_TIMEOUT).unwrap();
        client.signal(signal);
        assert_eq!(client.wait_exit(WAIT_TIMEOUT).code(), Some(1));
    }
}

#[test]
fn a_registry_whose_log_reader_has_gone_away_serves_on() {
    let deployment = Deployment::new();
    let (mut reader, writer) = pipe().unwrap();
    let registry = deployment.registry(0).stderr(writer).spawn();
    let log = read_to(&mut reader, "/signaling/ws");
    let (_, rest) = log.split_once("registry listening on ").unwrap();
    let url = rest.split_whitespace().next().unwrap().to_owned();
    drop(reader);
    let server = deployment.server_at(&url).spawn();
    server.ready();
    Summary::of_success(&deployment.client(&url, 10).arg("--json").run(), 10);
    registry.signal(Signal::TERM);
    assert_eq!(registry.wait_exit(WAIT_TIMEOUT).code(), Some(0));
}

#[test]
fn help_that_nobody_reads_is_no_panic() {
    let deployment = Deployment::new();
    for program in [
        deployment.bare_server(),
        deployment.bare_client(),
        deployment.registry(0),
    ] {
        let closed = pipe().unwrap().1;
        let help = program.arg("--help").stdout(closed).run();
        assert_eq!(help.code(), Some(0), "{}", help.stderr);
        assert_eq!(help.stderr, "");
    }
}

#[test]
fn help_says_which_of_the_flags_and_rust_log_counts() {
    let deployment = Deployment::new();
    for program in [deployment.bare_server(), deployment.bare_client()] {
        let help = program.arg("--help").run().stdout;
        assert!(help.contains("RUST_LOG overrides -v and -q"), "{help}");
    }
}

#[test]
fn an_empty_rust_log_is_none() {
    let deployment = Deployment::new();
    let server = deployment.server().env("RUST_LOG", "").spawn();
    server.ready();
}

#[test]
fn an_invalid_rust_log_is_said_and_the_flags_decide() {
    let deployment = Deployment::new();
    let (_server, url) = deployment.start_server(&[]);
    let client = deployment.client(&url, 3).arg("-q").env("RUST_LOG", "actr=loud").run();
    assert_eq!(client.code(), Some(0));
    assert!(
        client.stderr.contains("RUST_LOG=actr=loud is not valid"),
        "{}",
        client.stderr
    );
    assert_eq!(client.stderr.lines().count(), 1, "{}", client.stderr);
}

#[test]
fn rust_log_goes_before_quiet() {
    let deployment = Deployment::new();
    let (_server, url) = deployment.start_server(&[]);
    let client = deployment.client(&url, 3).arg("-q").env("RUST_LOG", "info").run();
    assert!(client.stderr.contains("Stream message 3 for"), "{}", client.stderr);
}
