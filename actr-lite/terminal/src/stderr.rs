use std::{io, sync::LazyLock, time::Duration};

use tracing::Level;

use crate::{log_format::LogFormat, output::Output};

/// How long the end of a program waits for the reader of its stderr, altogether: long for a machine, and short for a
/// person who has asked it to stop.
pub(crate) const FLUSH_TIMEOUT: Duration = Duration::from_secs(1);

static STDERR: LazyLock<Output> = LazyLock::new(|| Output::new("stderr", io::stderr()));

/// From now on what is said has this format.
pub(crate) fn set_format(format: LogFormat) {
    STDERR.change(|queue| queue.set_format(format));
}

/// Queues a line for stderr. It neither waits nor fails: if nobody reads, the line is dropped and counted.
pub fn say(line: &str) {
    STDERR.change(|queue| queue.say(Level::INFO, "", line));
}

/// The same of something that went wrong; `prefix` is for people.
pub(crate) fn say_error(prefix: &str, line: &str) {
    STDERR.change(|queue| queue.say(Level::ERROR, prefix, line));
}

/// The same, and nothing that comes later is written.
pub(crate) fn say_last_error(prefix: &str, line: &str) {
    STDERR.change(|queue| {
        queue.say(Level::ERROR, prefix, line);
        queue.close();
    });
}

/// Queues whole lines.
pub(crate) fn push(lines: &[u8]) {
    STDERR.change(|queue| queue.push(lines));
}

/// Shows a status below the lines, instead of the one before.
pub(crate) fn set_status(status: Option<String>) {
    STDERR.change(|queue| queue.set_status(status));
}

/// Waits until what was said is written, at most for a second: the last thing that a program does.
pub fn flush() {
    flush_within(FLUSH_TIMEOUT);
}

/// The same, at most for `bound`.
pub(crate) fn flush_within(bound: Duration) {
    STDERR.flush(bound);
}

/// Log lines, for `tracing`. Writing them can't fail.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LogWriter;

impl io::Write for LogWriter {
    fn write(&mut self, lines: &[u8]) -> io::Result<usize> {
        push(lines);
        Ok(lines.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
