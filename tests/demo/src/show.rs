use std::{
    env,
    io::{self, IsTerminal as _},
};

use programs::{Line, Source};

/// Shows a program's log with its name before each line, on stderr. What the client says on stdout is the result, and
/// goes to stdout as it is.
pub(crate) fn show(name: &'static str, colour: &'static str) -> impl Fn(&Line) + Clone + Send + 'static {
    let has_colour = io::stderr().is_terminal() && env::var_os("NO_COLOR").is_none_or(|no_colour| no_colour.is_empty());
    let (colour, end) = match has_colour {
        true => (colour, "\x1b[0m"),
        false => ("", ""),
    };
    move |line| match line.source {
        Source::Stdout if name == "client" => say(&mut io::stdout(), &line.text),
        _ => say(&mut io::stderr(), &format!("{colour}{name} |{end} {}", line.text)),
    }
}

/// Prints a line, in one piece. A reader that has gone away is no reason to stop.
pub(crate) fn say(to: &mut impl io::Write, line: &str) {
    let _ = to.write_all(format!("{line}\n").as_bytes());
}
