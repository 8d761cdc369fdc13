//! A server that is killed in the middle of a stream: another one sends the rest, or the client says what is missing.

use harness::{Deployment, Signal, Summary, WAIT_TIMEOUT};

const PACE: [&str; 2] = ["--interval", "10ms"];

#[test]
fn another_server_sends_the_rest_when_one_is_killed() {
    let deployment = Deployment::new();
    let (_registry, url) = deployment.start_registry();
    let servers = ["first", "second"].map(|name| {
        let server = deployment.server_at(&url).args(PACE).named(name).spawn();
        (server.ready(), server)
    });
    let client = deployment.client(&url, 100).args(["--json", "-v"]).spawn();
    client.wait_for_line("Stream message 3 for", WAIT_TIMEOUT);
    let (sends, waits): (Vec<_>, Vec<_>) = servers
        .into_iter()
        .partition(|(_, server)| !server.lines_with("INFO sending ").is_empty());
    let ([(killed_id, killed)], [(other_id, _other)]) = (&sends[..], &waits[..]) else {
        panic!("{} servers send one stream", sends.len());
    };
    killed.signal(Signal::KILL);
    let summary = Summary::of_success(&client.finish(), 100);
    assert_eq!(summary.servers, [killed_id.as_str(), other_id]);
    assert_eq!((summary.resumes, summary.duplicates), (1, 0), "{summary:?}");
}

#[test]
fn without_another_server_the_client_says_what_is_missing() {
    let deployment = Deployment::new();
    let (_registry, url) = deployment.start_registry();
    let server = deployment.server_at(&url).args(PACE).spawn();
    server.ready();
    let client = deployment
        .client(&url, 10_000)
        .args(["--json", "-v", "--timeout", "1s"])
        .spawn();
    client.wait_for_line("Stream message 3 for", WAIT_TIMEOUT);
    server.signal(Signal::KILL);
    let client = client.finish();
    client.assert_fails_with(&["not complete"]);
    let summary = Summary::of(&client);
    assert!((3..10_000).contains(&summary.received), "{summary:?}");
    assert_eq!(summary.received + summary.missing, 10_000, "{summary:?}");
}
