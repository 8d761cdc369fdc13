use std::{
    backtrace::{Backtrace, BacktraceStatus},
    fmt::Write as _,
    panic::{self, PanicHookInfo},
    thread,
    time::Duration,
};

use actr_lite_wire::peer_text::OneLine;

use crate::stderr;

/// How long a thread that panics waits for its message to be written: the process may be about to abort.
const FLUSH_TIMEOUT: Duration = Duration::from_millis(100);

/// From now on a panic's message goes where the logs go: the hook of the standard library blocks on a reader that
/// stalls.
pub(crate) fn install() {
    panic::set_hook(Box::new(|panic| {
        stderr::say_error("", describe(panic).trim_end());
        stderr::flush_within(FLUSH_TIMEOUT);
    }));
}

fn describe(panic: &PanicHookInfo<'_>) -> String {
    let thread = thread::current();
    let mut text = format!("thread {:?} panicked", thread.name().unwrap_or("unnamed"));
    if let Some(location) = panic.location() {
        // Writing to a string can't fail, here and below.
        let _ = write!(text, " at {location}");
    }
    text.push_str(": ");
    let _ = OneLine::new(&mut text).write_str(panic.payload_as_str().unwrap_or("it does not say why"));
    text.push('\n');
    // Only if RUST_BACKTRACE asks for it.
    let backtrace = Backtrace::capture();
    if backtrace.status() == BacktraceStatus::Captured {
        let _ = writeln!(text, "{backtrace}");
    }
    text
}
