use std::{env, ffi::OsString};

pub(crate) const USAGE: &str = "\
usage: cargo demo MESSAGE_COUNT [--tls] [CLIENT ARGUMENT]...
       cargo demo --page [MESSAGE_COUNT] [--tls] [CLIENT ARGUMENT]...";

/// How many messages each client asks for whose stream is to be watched: half a minute.
const WATCHED_MESSAGES: &str = "300";

/// What the demo is to do.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Command {
    Help,
    Run(Arguments),
}

/// How it does it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Arguments {
    /// Runs one client after another, slowly, for those who look at the server's page.
    pub(crate) has_page: bool,
    /// Both programs use TLS.
    pub(crate) has_tls: bool,
    /// What the client gets: the number of messages first.
    pub(crate) client: Vec<OsString>,
}

/// What the command line says; `None` if that is nothing that there is.
pub(crate) fn parse() -> Option<Command> {
    of(env::args_os().skip(1))
}

fn of(arguments: impl Iterator<Item = OsString>) -> Option<Command> {
    let (mut has_page, mut has_tls, mut client) = (false, false, Vec::new());
    for argument in arguments {
        match argument.to_str() {
            Some("--help" | "-h") if client.is_empty() => return Some(Command::Help),
            Some("--page") => has_page = true,
            Some("--tls") => has_tls = true,
            _ => client.push(argument),
        }
    }
    let has_count = client.first().is_some_and(|first| !is_option(first));
    if !has_count && !has_page {
        return None;
    }
    if !has_count {
        client.insert(0, WATCHED_MESSAGES.into());
    }
    Some(Command::Run(Arguments {
        has_page,
        has_tls,
        client,
    }))
}

fn is_option(argument: &OsString) -> bool {
    argument.to_string_lossy().starts_with('-')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Option<Command> {
        of(line.split_whitespace().map(OsString::from))
    }

    fn run(has_page: bool, has_tls: bool, client: &[&str]) -> Option<Command> {
        Some(Command::Run(Arguments {
            has_page,
            has_tls,
            client: client.iter().map(OsString::from).collect(),
        }))
    }

    #[test]
    fn what_is_not_the_demos_own_is_the_clients() {
        assert_eq!(parsed("10"), run(false, false, &["10"]));
        assert_eq!(parsed("10 --json --tls -v"), run(false, true, &["10", "--json", "-v"]));
        assert_eq!(parsed("--page"), run(true, false, &["300"]));
        assert_eq!(parsed("--page --tls --json"), run(true, true, &["300", "--json"]));
        assert_eq!(parsed("--page 5"), parsed("5 --page"));
    }

    #[test]
    fn without_a_page_somebody_has_to_say_how_many() {
        assert_eq!(parsed(""), None);
        assert_eq!(parsed("--json"), None);
        assert_eq!(parsed("--tls"), None);
        assert_eq!(parsed("--help"), Some(Command::Help));
        assert_eq!(parsed("10 --help"), run(false, false, &["10", "--help"]));
    }
}
