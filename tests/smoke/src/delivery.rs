//! All messages that were asked for arrive, once each and in order, and the client ends with the last one.

use harness::{Deployment, Summary, WAIT_TIMEOUT};

/// The texts of the messages that the client's log shows, in its order.
fn received(stderr: &str) -> Vec<&str> {
    let after = stderr.lines().filter_map(|line| line.split_once("Received: "));
    after.map(|(_, text)| text.trim_end()).collect()
}

fn is_stream_id(text: &str) -> bool {
    text.len() == 8
        && text
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
}

#[test]
fn ten_messages_arrive_in_order() {
    let deployment = Deployment::new();
    let (server, url) = deployment.start_server(&[]);
    let client = deployment.client(&url, 10).run();
    assert_eq!(client.code(), Some(0));

    let messages = received(&client.stderr);
    let stream_id = messages.first().unwrap().rsplit_once(' ').unwrap().1;
    assert!(is_stream_id(stream_id), "{stream_id}");
    let expected: Vec<_> = (1..=10)
        .map(|i| format!("[server] Stream message {i} for {stream_id}"))
        .collect();
    assert_eq!(messages, expected);

    assert_eq!(client.stdout.lines().count(), 1, "{}", client.stdout);
    assert!(client.stdout.contains("received 10/10 messages"), "{}", client.stdout);
    server.wait_for_line(&format!("sending 10 frames stream={stream_id} peer="), WAIT_TIMEOUT);
    server.wait_for_line(&format!("all 10 frames sent stream={stream_id}"), WAIT_TIMEOUT);
    assert!(server.is_running());
}

#[test]
fn the_json_summary_says_what_arrived_and_from_whom() {
    let deployment = Deployment::new();
    let server = deployment.server().spawn();
    let (url, server_id) = (server.registry_url(), server.ready());
    let summary = Summary::of_success(&deployment.client(&url, 10).arg("--json").run(), 10);
    assert!(is_stream_id(&summary.stream_id), "{summary:?}");
    assert_eq!(summary.bytes, summary.bytes_of_all());
    assert_eq!(summary.servers, [server_id]);
    assert!(summary.duration_ms.as_f64().unwrap() >= 0.0);
    assert!(summary.frames_per_s.unwrap().as_f64().unwrap() > 0.0);
}

#[test]
fn logs_for_a_pipe_have_no_colours() {
    let deployment = Deployment::new();
    let (server, url) = deployment.start_server(&[]);
    let client = deployment.client(&url, 3).run();
    assert!(!client.stderr.contains('\x1b'), "{}", client.stderr);
    assert!(!client.stdout.contains('\x1b'), "{}", client.stdout);
    assert!(server.lines_with("\x1b").is_empty());
}

#[test]
fn no_messages_are_a_success_at_once() {
    let deployment = Deployment::new();
    let (server, url) = deployment.start_server(&[]);
    let client = deployment.client(&url, 0).run();
    assert_eq!(client.code(), Some(0));
    assert!(client.stdout.contains("received 0/0 messages"), "{}", client.stdout);
    Summary::of_success(&deployment.client(&url, 0).arg("--json").run(), 0);
    assert!(server.is_running());
}

#[test]
fn a_hundred_thousand_messages_arrive_in_order() {
    let deployment = Deployment::new();
    let (_server, url) = deployment.start_server(&[]);
    let client = deployment.client(&url, 100_000).arg("--json").run();
    let summary = Summary::of_success(&client, 100_000);
    assert_eq!(summary.bytes, summary.bytes_of_all());
    assert!(
        received(&client.stderr).len() <= 100,
        "a log line for each of very many messages"
    );
}

#[test]
fn twenty_clients_at_once_get_a_stream_each() {
    let deployment = Deployment::new();
    let (server, url) = deployment.start_server(&[]);
    let clients: Vec<_> = (1..=20)
        .map(|number| {
            deployment
                .client(&url, 200)
                .arg("--json")
                .named(&format!("client {number}"))
                .spawn()
        })
        .collect();
    let mut stream_ids = Vec::new();
    for client in &clients {
        let summary = Summary::of_success(&client.finish(), 200);
        assert_eq!(summary.bytes, summary.bytes_of_all());
        stream_ids.push(summary.stream_id);
    }
    stream_ids.sort();
    stream_ids.dedup();
    assert_eq!(stream_ids.len(), 20);
    assert!(server.is_running());
}

#[test]
fn paced_messages_all_arrive_however_long_the_stream_takes() {
    let deployment = Deployment::new();
    let (server, url) = deployment.start_server(&["--interval", "50ms"]);
    // The stream takes 1.5 s: the timeout is over before its end, and bounds only what comes before the stream.
    let client = deployment.client(&url, 30).args(["--timeout", "1s", "--json"]).spawn();
    let finished = client.finish();
    let summary = Summary::of_success(&finished, 30);
    assert_eq!(received(&finished.stderr).len(), 30);
    // Twenty-nine pauses, whatever the machine does besides: it can only take longer.
    assert!(summary.duration_ms.as_f64().unwrap() >= 1400.0, "{summary:?}");
    server.wait_for_line("all 30 frames sent", WAIT_TIMEOUT);
}

#[test]
fn no_client_ends_early() {
    let deployment = Deployment::new();
    let (server, url) = deployment.start_server(&[]);
    for _ in 0..10 {
        Summary::of_success(&deployment.client(&url, 101).arg("--json").run(), 101);
    }
    assert!(server.lines_with("ended after").is_empty());
}

#[test]
fn the_log_says_as_much_as_is_asked_for() {
    let deployment = Deployment::new();
    let (_server, url) = deployment.start_server(&[]);
    let quiet = deployment.client(&url, 10).arg("-q").run();
    assert_eq!((quiet.code(), quiet.stderr.as_str()), (Some(0), ""));
    let silenced = deployment.client(&url, 10).env("RUST_LOG", "error").run();
    assert_eq!((silenced.code(), silenced.stderr.as_str()), (Some(0), ""));
    let many = deployment.client(&url, 101).run();
    assert_eq!((many.code(), received(&many.stderr).len()), (Some(0), 0));
    let verbose = deployment.client(&url, 101).arg("-v").run();
    assert_eq!((verbose.code(), received(&verbose.stderr).len()), (Some(0), 101));
}
