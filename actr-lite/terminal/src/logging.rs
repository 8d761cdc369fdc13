use std::{env, ffi::OsString, process::ExitCode};

use tracing::{level_filters::LevelFilter, warn};
use tracing_subscriber::{
    Registry,
    filter::{ParseError, Targets},
    layer::{Layer, SubscriberExt as _},
    util::SubscriberInitExt as _,
};

use crate::{
    conventions::has_colour,
    failure::one_line,
    json_events::JsonEvents,
    log_format::LogFormat,
    one_line_fields::OneLineFields,
    panic_hook,
    rate_limit::RateLimit,
    status_line,
    stderr::{self, LogWriter},
};

/// The variable that says, by module, what is logged.
const RUST_LOG: &str = "RUST_LOG";

/// How much a program logs without `RUST_LOG`: how often `-v` and `-q` were given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Verbosity {
    /// How often `-v`.
    pub verbose: u8,
    /// How often `-q`.
    pub quiet: u8,
}

impl Verbosity {
    fn level(self) -> LevelFilter {
        match (self.verbose, self.quiet) {
            (0, 0) => LevelFilter::INFO,
            (0, 1) => LevelFilter::WARN,
            (0, _) => LevelFilter::ERROR,
            (1, _) => LevelFilter::DEBUG,
            (_, _) => LevelFilter::TRACE,
        }
    }
}

/// Logs that go to stderr as long as the program runs. Dropping it waits until they are written, at most for a second: the
/// last thing that a program does.
#[derive(Debug)]
pub struct Logging(RateLimit);

/// Sends logs, and the messages of panics, to stderr. `RUST_LOG` decides what is logged; if it is not set or empty,
/// `verbosity` does. All that comes on stderr has the format, a panic and the last error too. A program that has set up its own logging keeps it.
///
/// Nothing that logs waits for a reader or can fail by it. What has no room is dropped and counted.
pub fn start_logging(verbosity: Verbosity, format: LogFormat) -> Logging {
    start_logging_with(verbosity, format, None)
}

/// Takes the spans that a program makes, whatever is logged.
pub type SpanLayer = Box<dyn Layer<Registry> + Send + Sync>;

/// The same with something that takes the program's spans.
pub fn start_logging_with(verbosity: Verbosity, format: LogFormat, spans: Option<SpanLayer>) -> Logging {
    // Whoever reads JSON can't make use of a line that is redrawn.
    status_line::set_quiet(verbosity.quiet > 0 || format == LogFormat::Json);
    stderr::set_format(format);
    panic_hook::install();
    let (filter, problem) = filter(env::var_os(RUST_LOG), verbosity);
    let rate_limit = RateLimit::new();
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(|| LogWriter)
        .with_ansi(has_colour() && format == LogFormat::Text)
        .with_target(false)
        .fmt_fields(OneLineFields)
        // It would print with a macro that panics.
        .log_internal_errors(false);
    let lines = match format {
        LogFormat::Text => lines.boxed(),
        LogFormat::Json => lines.event_format(JsonEvents).boxed(),
    };
    let subscriber = tracing_subscriber::registry()
        .with(spans)
        .with(lines.with_filter(filter))
        .with(rate_limit.clone());
    let _ = subscriber.try_init();
    if let Some(problem) = problem {
        warn!("{problem}");
    }
    Logging(rate_limit)
}

impl Logging {
    /// Ends the program's output, and gives its exit code. An error is the last line on stderr, and in one line: what tasks
    /// log after it, for which nobody waits, is dropped.
    pub fn end(self, result: anyhow::Result<ExitCode>) -> ExitCode {
        result.unwrap_or_else(|error| {
            self.0.conclude();
            stderr::set_status(None);
            stderr::say_last_error("error: ", &one_line(&error));
            ExitCode::FAILURE
        })
    }
}

impl Logging {
    /// The same for a program that has found several things wrong, each with a line of its own.
    pub fn end_with_all(self, errors: impl IntoIterator<Item = anyhow::Error>) -> ExitCode {
        for error in errors {
            stderr::say_error("error: ", &one_line(&error));
        }
        ExitCode::FAILURE
    }
}

impl Drop for Logging {
    fn drop(&mut self) {
        self.0.conclude();
        stderr::set_status(None);
        stderr::flush();
    }
}

/// What is logged, and what is wrong with `RUST_LOG`.
fn filter(rust_log: Option<OsString>, verbosity: Verbosity) -> (Targets, Option<String>) {
    let level = verbosity.level();
    let by_level = || Targets::new().with_default(level);
    let Some(rust_log) = rust_log.filter(|value| !value.is_empty()) else {
        return (by_level(), None);
    };
    let parsed = match rust_log.to_str() {
        Some(text) => text.parse().map_err(|error: ParseError| error.to_string()),
        None => Err("it is not UTF-8".into()),
    };
    match parsed {
        Ok(filter) => (filter, None),
        Err(error) => {
            let problem = format!(
                "RUST_LOG={} is not valid, so -v and -q decide what is logged ({level}): {error}; write it like \
                 warn,actr_lite=debug",
                rust_log.display()
            );
            (by_level(), Some(problem))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(rust_log: Option<&str>, verbosity: Verbosity) -> (String, bool) {
        let (filter, problem) = filter(rust_log.map(OsString::from), verbosity);
        (filter.to_string(), problem.is_some())
    }

    #[test]
    fn rust_log_goes_before_the_flags_unless_it_is_empty() {
        let quiet = Verbosity { verbose: 0, quiet: 1 };
        let told = |rust_log| told(rust_log, quiet);
        assert_eq!(told(None), ("warn".into(), false));
        assert_eq!(told(Some("")), ("warn".into(), false));
        assert_eq!(told(Some("debug")), ("debug".into(), false));
        assert_eq!(told(Some("actr_lite=loud")), ("warn".into(), true));
    }
}
