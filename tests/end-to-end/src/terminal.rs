//! On a terminal the programs keep to its conventions, and its end is theirs.

use harness::{Deployment, Launch, PseudoTerminal, Signal, WAIT_TIMEOUT, pseudo_terminal::WITH_TERMINAL};

/// A usual width.
const COLUMNS: u16 = 120;

const ESCAPE: char = '\x1b';

/// What a server shows until it is ready, on a terminal or into a pipe.
fn shown_by_server(on_terminal: bool, environment: &[(&str, &str)]) -> String {
    let deployment = Deployment::new();
    let mut server = deployment.server();
    for (variable, value) in environment {
        server = server.env(variable, value);
    }
    if on_terminal {
        let mut terminal = PseudoTerminal::new(COLUMNS);
        let _server = server.stderr(terminal.stdio()).spawn();
        terminal.read_to("server ready as")
    } else {
        let server = server.spawn();
        server.wait_for_line("server ready as", WAIT_TIMEOUT)
    }
}

#[test]
fn colours_follow_the_conventions_of_terminals() {
    let xterm = ("TERM", "xterm");
    assert!(shown_by_server(true, &[xterm]).contains(ESCAPE));
    assert!(!shown_by_server(true, &[xterm, ("NO_COLOR", "1")]).contains(ESCAPE));
    assert!(!shown_by_server(true, &[("TERM", "dumb")]).contains(ESCAPE));
    assert!(!shown_by_server(false, &[xterm]).contains(ESCAPE));
    assert!(shown_by_server(false, &[xterm, ("CLICOLOR_FORCE", "1")]).contains(ESCAPE));
}

/// What a client shows that gets a stream of 150 messages in about three seconds.
fn shown_by_client(term: &str, flags: &[&str]) -> String {
    let deployment = Deployment::new();
    let (_server, url) = deployment.start_server(&["--interval", "20ms"]);
    let terminal = PseudoTerminal::new(COLUMNS);
    let client = deployment
        .client(&url, 150)
        .args(flags)
        .env("TERM", term)
        .env("NO_COLOR", "1")
        .stderr(terminal.stdio())
        .spawn();
    let shown = terminal.read_to_end();
    assert_eq!(client.finish().code(), Some(0), "{shown}");
    shown
}

#[test]
fn a_progress_bar_and_log_lines_never_share_a_line() {
    const CLEARED: &str = "\r\x1b[2K";
    let shown = shown_by_client("xterm", &["-v"]);
    let bars: Vec<_> = shown.match_indices(" left").collect();
    assert!(bars.len() > 1, "{shown}");
    for (at, bar) in bars {
        let rest = shown[at + bar.len()..].trim_start_matches(' ');
        assert!(rest.starts_with(CLEARED), "{rest:.100}");
    }
    for line in shown
        .lines()
        .filter(|line| line.contains(" DEBUG ") || line.contains(" INFO "))
    {
        let line = line
            .rsplit('\r')
            .next()
            .unwrap_or_default()
            .trim_start_matches("\x1b[2K");
        assert!(line.starts_with("20"), "a line begins with its time: {line:?}");
    }
    assert!(
        shown
            .trim_end_matches('\n')
            .rsplit(CLEARED)
            .next()
            .is_some_and(|rest| !rest.contains(" left"))
    );
}

#[test]
fn a_progress_bar_shows_whole_numbers() {
    let shown = shown_by_client("xterm", &[]);
    let rates: Vec<_> = shown.split("/s, ").collect();
    assert!(rates.len() > 1, "{shown}");
    for rate in &rates[..rates.len() - 1] {
        let (_, rate) = rate.rsplit_once(' ').unwrap();
        // Such as 2,675.
        let is_whole = rate
            .split(',')
            .all(|group| !group.is_empty() && group.bytes().all(|byte| byte.is_ascii_digit()));
        assert!(is_whole, "{rate}");
    }
}

#[test]
fn who_wants_quiet_or_has_a_dumb_terminal_gets_no_bar() {
    for (term, flags) in [("xterm", &["-q"][..]), ("dumb", &[])] {
        let shown = shown_by_client(term, flags);
        assert!(!shown.contains("messages,") && !shown.contains(ESCAPE), "{shown}");
    }
}

/// Lets a program run in a terminal, as the one that its end concerns.
fn within(terminal: &PseudoTerminal, launch: Launch) -> Launch {
    let (runner, arguments) = WITH_TERMINAL;
    let launch = launch.under(runner, arguments).stdin(terminal.stdio());
    launch.stdout(terminal.stdio()).stderr(terminal.stdio())
}

#[test]
fn a_client_whose_terminal_is_closed_ends() {
    let deployment = Deployment::new();
    let (server, url) = deployment.start_server(&["--interval", "100ms"]);
    let mut terminal = PseudoTerminal::new(COLUMNS);
    let client = within(&terminal, deployment.client(&url, 1_000_000).arg("-v")).spawn();
    terminal.read_to("Stream message 3 for");
    drop(terminal);
    assert_eq!(client.wait_exit(WAIT_TIMEOUT).code(), Some(1));
    server.wait_for_line("ended after ", WAIT_TIMEOUT);
}

#[test]
fn a_server_whose_terminal_is_closed_ends_in_order() {
    let deployment = Deployment::new();
    let mut terminal = PseudoTerminal::new(COLUMNS);
    let server = within(&terminal, deployment.server()).spawn();
    terminal.read_to("server ready as");
    drop(terminal);
    assert_eq!(server.wait_exit(WAIT_TIMEOUT).code(), Some(0));
}

#[test]
fn a_server_under_nohup_outlives_its_terminal() {
    let deployment = Deployment::new();
    let (registry, url) = deployment.start_registry();
    let mut terminal = PseudoTerminal::new(COLUMNS);
    let server = deployment
        .server_at(&url)
        .under("sh", &["-c", "trap '' HUP; exec \"$0\" \"$@\""]);
    let server = within(&terminal, server).spawn();
    terminal.read_to("server ready as");
    drop(terminal);
    let client = deployment.client(&url, 10).run();
    assert_eq!(client.code(), Some(0), "{}", client.stderr);
    server.signal(Signal::TERM);
    assert_eq!(server.wait_exit(WAIT_TIMEOUT).code(), Some(0));
    drop(registry);
}
