use std::{io, sync::LazyLock, time::Duration};

use crate::output::Output;

/// How long the end of a program waits for the reader of its stderr, altogether: long for a machine, and short for a
/// person who has asked it to stop.
pub(crate) const FLUSH_TIMEOUT: Duration = Duration::from_secs(1);

static STDERR: LazyLock<Output> = LazyLock::new(|| Output::new("stderr", io::stderr()));

/// Queues a line for stderr. It neither waits nor fails: if nobody reads, the line is dropped and counted.
pub fn say(line: &str) {
    push(format!("{line}\n").as_bytes());
}

/// The same, and nothing that comes later is written.
pub(crate) fn say_last(line: &str) {
    STDERR.push_last(format!("{line}\n").as_bytes());
}

/// Queues whole lines.
pub(crate) fn push(lines: &[u8]) {
    STDERR.push(lines);
}

/// Shows a status below the lines, instead of the one before.
pub(crate) fn set_status(status: Option<String>) {
    STDERR.set_status(status);
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
