//! `cargo demo` shows the real programs at work, and ends as the client ends.

use std::path::Path;

use tests::{Launch, PATIENCE, Signal};

fn demo() -> Launch {
    Launch::new("demo", Path::new(env!("CARGO_BIN_EXE_demo")))
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
    demo.wait_for_line("sending 1000000 frames", PATIENCE);
    demo.signal(Signal::INT);
    assert_eq!(demo.finish().code(), Some(1));
}
