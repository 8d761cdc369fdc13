//! What is wrong with the collector harms no program.

use std::net::TcpListener;

use programs::{WAIT_TIMEOUT, unused_port};

use crate::programs_with_traces::{deployment, traced};

#[test]
fn a_collector_that_is_away_is_said_once_and_harms_nothing() {
    let deployment = deployment();
    let away = format!("http://127.0.0.1:{}", unused_port());
    let (server, url) = deployment.start_server(&[]);
    let client = traced(deployment.client(&url, 100_000), &away)
        .env("OTEL_BSP_SCHEDULE_DELAY", "1")
        .run();
    assert_eq!(client.code(), Some(0), "{}", client.stderr);
    assert_eq!(
        client.stderr.matches("takes no traces: ").count(),
        1,
        "{}",
        client.stderr
    );
    assert!(client.stderr.contains(" spans were not sent"), "{}", client.stderr);
    assert!(server.is_running());
}

#[test]
fn a_collector_that_never_answers_holds_up_nobody() {
    let deployment = deployment();
    // Connections are made by the system, and nobody reads them.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let silent_url = format!("http://{}", silent.local_addr().unwrap());
    let server = traced(deployment.server(), &silent_url)
        .env("OTEL_BSP_SCHEDULE_DELAY", "1")
        .spawn();
    let url = server.registry_url();
    server.ready();
    let client = traced(deployment.client(&url, 1000), &silent_url).run();
    assert_eq!(client.code(), Some(0), "{}", client.stderr);
    server.signal(programs::Signal::TERM);
    let exit = server.wait_exit(WAIT_TIMEOUT);
    assert_eq!(exit.code(), Some(0));
}

#[test]
fn without_a_collector_nothing_is_said_of_traces() {
    let deployment = deployment();
    let (_server, url) = deployment.start_server(&[]);
    let client = deployment.client(&url, 3).run();
    assert_eq!(client.code(), Some(0));
    assert!(
        !client.stderr.contains("traces") && !client.stderr.contains("spans"),
        "{}",
        client.stderr
    );
}
