//! With `--log-format json` each line on stderr is a JSON object; what a line is about is a field of it, for people too.

use harness::{Deployment, Finished, Signal, WAIT_TIMEOUT, registry_url, unused_port};
use serde_json::Value;

const JSON: [&str; 2] = ["--log-format", "json"];

/// Each line as it is read by a program.
#[track_caller]
fn objects(program: &Finished) -> Vec<Value> {
    let object = |line: &str| -> Value {
        let value: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        for member in ["timestamp", "level", "message"] {
            assert!(value[member].is_string(), "no {member} in {line}");
        }
        value
    };
    program.stderr.lines().map(object).collect()
}

#[track_caller]
fn with_message<'a>(lines: &'a [Value], message: &str) -> &'a Value {
    let found = lines
        .iter()
        .find(|line| line["message"].as_str().unwrap().contains(message));
    found.unwrap_or_else(|| panic!("no {message:?} in {lines:?}"))
}

#[test]
fn each_line_of_both_programs_is_an_object_with_its_fields() {
    let deployment = Deployment::new();
    let url = registry_url(unused_port());
    let server = deployment
        .server_at(&url)
        .config("system.signaling.embedded", true)
        .args(JSON)
        .arg("-vv")
        .spawn();
    server.wait_for_line("server ready as ", WAIT_TIMEOUT);
    let client = deployment.client(&url, 10).args(JSON).arg("-v").run();
    assert_eq!(client.code(), Some(0), "{}", client.stderr);
    assert_eq!(
        client.stdout.lines().count(),
        1,
        "the result is no log line: {}",
        client.stdout
    );
    server.signal(Signal::TERM);
    let (client, server) = (objects(&client), objects(&server.finish()));
    let ask = with_message(&client, "registered and ready to receive messages");
    let sending = with_message(&server, "sending 10 frames");
    let sent = with_message(&server, "all 10 frames sent");
    assert_eq!(sending["stream"], sent["stream"]);
    assert_eq!(ask["stream"], sent["stream"]);
    assert_eq!(sending["frames"], 10);
    assert!(
        sending["peer"].as_str().unwrap().contains("StreamEchoClient"),
        "{sending}"
    );
    assert!(ask["peer"].as_str().unwrap().contains("StreamEchoServer"), "{ask}");
    assert_eq!(sending["level"], "INFO");
    assert!(sending["target"].as_str().unwrap().starts_with("server"), "{sending}");
}

#[test]
fn an_error_and_what_a_check_finds_are_objects_too() {
    let deployment = Deployment::new();
    let url = registry_url(unused_port());
    let failed = deployment.client(&url, 1).args(JSON).args(["--timeout", "200ms"]).run();
    let lines = objects(&failed);
    let last = lines.last().unwrap();
    assert_eq!(last["level"], "ERROR", "{last}");
    assert!(
        last["message"].as_str().unwrap().contains("could not be registered"),
        "{last}"
    );
    let check = deployment
        .server()
        .args(JSON)
        .arg("--check")
        .config("system.deployment.relam_id", 1);
    let found = check.config("system.limits.max_calls", 0).run();
    assert_eq!(objects(&found).len(), 2, "{}", found.stderr);
}

#[test]
fn a_registrys_lines_are_objects() {
    let deployment = Deployment::new();
    let registry = deployment.registry(0).args(JSON).spawn();
    registry.wait_for_line("registry listening on ", WAIT_TIMEOUT);
    registry.signal(Signal::TERM);
    with_message(&objects(&registry.finish()), "SIGTERM: stopping");
}

#[test]
fn what_a_line_says_of_a_broken_stream_is_in_its_fields() {
    let deployment = Deployment::new();
    let url = registry_url(unused_port());
    let server = deployment
        .server_at(&url)
        .config("system.signaling.embedded", true)
        .args(JSON)
        .spawn();
    server.wait_for_line("server ready as ", WAIT_TIMEOUT);
    let client = deployment.client(&url, 1_000_000_000).spawn();
    server.wait_for_line("sending 1000000000 frames", WAIT_TIMEOUT);
    client.signal(Signal::KILL);
    server.wait_for_line("ended after ", WAIT_TIMEOUT);
    server.signal(Signal::TERM);
    let lines = objects(&server.finish());
    let (sending, ended) = (
        with_message(&lines, "sending 1000000000"),
        with_message(&lines, ": ended after "),
    );
    assert_eq!(ended["place"], "data lane", "{ended}");
    assert_eq!(ended["stream"], sending["stream"], "{ended}");
    assert_eq!(ended["peer"], sending["peer"], "{ended}");
    assert!(ended["frames"].is_u64() && ended["reason"].is_string(), "{ended}");
}

#[test]
fn what_a_line_says_of_the_registry_is_in_its_fields() {
    let deployment = Deployment::new();
    let url = registry_url(unused_port());
    let failed = deployment.client(&url, 1).args(JSON).args(["--timeout", "200ms"]).run();
    let lines = objects(&failed);
    let away = with_message(&lines, "trying again");
    assert!(url.starts_with(away["registry"].as_str().unwrap()), "{away}");
    assert!(away["reason"].as_str().unwrap().contains("refused"), "{away}");
}

#[test]
fn people_see_the_fields_behind_the_message() {
    let deployment = Deployment::new();
    let (server, url) = deployment.start_server(&[]);
    assert_eq!(deployment.client(&url, 3).run().code(), Some(0));
    let sending = server.wait_for_line("sending 3 frames stream=", WAIT_TIMEOUT);
    assert!(sending.contains(" peer="), "{sending}");
}
