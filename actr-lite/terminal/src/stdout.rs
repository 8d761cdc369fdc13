use std::{
    io::{self, Write as _},
    sync::mpsc::{RecvTimeoutError, sync_channel},
    thread,
    time::Duration,
};

use crate::stderr;

/// How long a program's result waits for the reader of stdout: a signal that asks the program to end waits as long.
const TIMEOUT: Duration = Duration::from_secs(2);

/// Prints a program's result on stdout, after what was sent to stderr: a terminal shows the two in their order.
///
/// # Errors
/// When stdout can't be written to, or nobody reads it.
pub fn print(text: &str) -> io::Result<()> {
    stderr::flush();
    let text = text.to_owned();
    let (written, outcome) = sync_channel(1);
    // A thread that is blocked in a write can't be stopped: it ends with the program.
    thread::Builder::new().name("stdout".into()).spawn(move || {
        let mut stdout = io::stdout();
        let _ = written.send(stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()));
    })?;
    outcome.recv_timeout(TIMEOUT).unwrap_or_else(|error| {
        Err(match error {
            RecvTimeoutError::Timeout => io::Error::new(io::ErrorKind::TimedOut, "nobody reads it"),
            RecvTimeoutError::Disconnected => io::Error::other("it failed"),
        })
    })
}
