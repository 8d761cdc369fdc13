//! What a server exports is OpenMetrics, is what has happened, and is what docs/operations.md lists.

use std::{
    collections::BTreeSet,
    env, fs,
    io::{Read as _, Write as _},
    net::TcpStream,
    path::PathBuf,
    process::{Command, Stdio},
    time::Instant,
};

use harness::{Deployment, Process, WAIT_TIMEOUT, port_of};

use crate::open_metrics::Exposition;

/// What a server answers at the port of its registry.
fn get(url: &str, path: &str, accept: &str) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", port_of(url))).unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nhost: localhost\r\naccept: {accept}\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
    body.to_owned()
}

fn scrape(url: &str) -> Exposition {
    Exposition::parse(&get(url, "/metrics", "*/*")).unwrap_or_else(|rule| panic!("{rule}"))
}

/// Scrapes until this is so.
pub(crate) fn scrape_until(url: &str, is_so: impl Fn(&Exposition) -> bool) -> Exposition {
    let begin = Instant::now();
    loop {
        let exposition = scrape(url);
        if is_so(&exposition) {
            return exposition;
        }
        assert!(begin.elapsed() < WAIT_TIMEOUT, "{exposition:?}");
    }
}

fn file(path: &str) -> String {
    let workspace = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").unwrap()).join("../..");
    fs::read_to_string(workspace.join(path)).unwrap()
}

/// A server that embeds its registry, and a client that takes a hundred messages from it, a hundred in a second.
fn running(deployment: &Deployment) -> (Process, String, Process) {
    let (server, url) = deployment.start_server(&["--interval", "10ms"]);
    let client = deployment.client(&url, 100).spawn();
    (server, url, client)
}

#[test]
fn the_numbers_of_a_server_are_what_has_happened() {
    const OUT: &str = "actr_frames_total{direction=\"out\"}";
    const CALLS: &str = "actr_calls_total{route=\"stream_server.StreamServer.RegisterStream\",code=\"ok\"}";
    let deployment = Deployment::new();
    let (server, url, client) = running(&deployment);
    let during = scrape_until(&url, |seen| seen.value(OUT) > 0.0);
    assert_eq!(during.value("actr_ready"), 1.0);
    assert_eq!(during.value("actr_streams{direction=\"out\"}"), 1.0);
    assert_eq!(during.value("actr_connections{direction=\"in\",tls=\"false\"}"), 1.0);
    assert_eq!(during.value("actr_registry_nodes{realm=\"1\"}"), 2.0);
    assert_eq!(during.value("actr_registry_connections"), 2.0);
    assert!(during.value("actr_held_bytes") > 0.0);
    assert_eq!(client.wait().code(), Some(0));

    let after = scrape_until(&url, |seen| seen.value("actr_registry_nodes_left_total") == 1.0);
    assert_eq!(after.value(OUT), 100.0);
    let text: usize = (1..=100)
        .map(|number| format!("[server] Stream message {number} for xxxxxxxx").len())
        .sum();
    assert_eq!(after.value("actr_payload_bytes_total{direction=\"out\"}"), text as f64);
    assert_eq!(after.value("actr_streams_started_total{direction=\"out\"}"), 1.0);
    assert_eq!(
        after.value("actr_streams_ended_total{direction=\"out\",reason=\"finished\"}"),
        1.0
    );
    assert_eq!(after.value("actr_streams{direction=\"out\"}"), 0.0);
    assert_eq!(after.value(CALLS), 1.0);
    let count = "actr_call_duration_seconds_count{route=\"stream_server.StreamServer.RegisterStream\"}";
    assert_eq!(after.value(count), 1.0);
    assert_eq!(after.value("actr_registry_registrations_total"), 2.0);
    assert_eq!(after.value("actr_registry_signing_keys"), 1.0);
    assert_eq!(after.value("actr_registry_nodes{realm=\"1\"}"), 1.0);
    drop(server);
}

#[test]
fn operations_md_lists_what_is_exported_and_nothing_else() {
    let deployment = Deployment::new();
    let (_server, url) = deployment.start_server(&[]);
    let exported = scrape(&url).names;
    let page = file("docs/operations.md");
    let rows = page
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split_once("` |"));
    let is_metric = |name: &str| {
        ["actr_", "process_", "tokio_"]
            .iter()
            .any(|prefix| name.starts_with(prefix))
    };
    let listed: BTreeSet<String> = rows
        .map(|(name, _)| name.to_owned())
        .filter(|name| is_metric(name))
        .collect();
    let expected = exported
        .iter()
        .filter(|name| cfg!(target_os = "linux") || !name.starts_with("process_"));
    let missing: Vec<_> = expected.filter(|name| !listed.contains(*name)).collect();
    assert!(missing.is_empty(), "not in docs/operations.md: {missing:?}");
    let gone: Vec<_> = listed.difference(&exported).collect();
    assert!(gone.is_empty() || !cfg!(target_os = "linux"), "not exported: {gone:?}");

    for path in [
        "docs/operations/actr-lite.rules.yml",
        "docs/operations/grafana-dashboard.json",
    ] {
        let text = file(path);
        let words = text.split(|byte: char| !byte.is_ascii_alphanumeric() && byte != '_');
        let used: BTreeSet<_> = words.filter(|word| is_metric(word)).collect();
        assert!(used.len() > 20, "{path}: {used:?}");
        for name in used {
            let series = name.strip_suffix("_bucket").unwrap_or(name);
            assert!(listed.contains(series), "{path} uses {name}");
        }
    }
    serde_json::from_str::<serde_json::Value>(&file("docs/operations/grafana-dashboard.json")).unwrap();
}

#[test]
fn promtool_finds_nothing_wrong_with_what_is_exported() {
    let deployment = Deployment::new();
    let (_server, url) = deployment.start_server(&[]);
    let text = get(&url, "/metrics", "text/plain");
    let promtool = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let Ok(mut promtool) = promtool else {
        eprintln!("skipped: there is no promtool (Debian's package prometheus has it)");
        return;
    };
    promtool.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let output = promtool.wait_with_output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&said));
}
