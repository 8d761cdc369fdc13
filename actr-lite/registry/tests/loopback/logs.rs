use std::{
    io,
    sync::{Mutex, Once, PoisonError},
};

/// The warnings of all tests of this program.
static LOGGED: Mutex<Vec<u8>> = Mutex::new(Vec::new());

struct Memory;

impl io::Write for Memory {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        LOGGED
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Keeps the warnings from now on; to be called before the registry starts.
pub(crate) fn capture() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let subscriber = tracing_subscriber::fmt().with_max_level(tracing::Level::WARN);
        subscriber.with_ansi(false).with_writer(|| Memory).init();
    });
}

/// Where the log stands.
pub(crate) fn position() -> usize {
    LOGGED.lock().unwrap_or_else(PoisonError::into_inner).len()
}

/// The warnings about this peer from this position on: the system gives ports to others later.
pub(crate) fn about(peer: &str, from: usize) -> Vec<String> {
    let logged = LOGGED.lock().unwrap_or_else(PoisonError::into_inner);
    let text = String::from_utf8_lossy(&logged[from..]);
    let name = format!(" from {peer}: ");
    let lines = text.lines().filter(|line| line.contains(&name));
    lines.map(str::to_owned).collect()
}

/// The warnings from this position on about contested types of the realm that ids name so.
pub(crate) fn about_types_of(realm: &str, from: usize) -> Vec<String> {
    let logged = LOGGED.lock().unwrap_or_else(PoisonError::into_inner);
    let text = String::from_utf8_lossy(&logged[from..]);
    let lines = text
        .lines()
        .filter(|line| line.contains("contested type from ") && line.contains(realm));
    lines.map(str::to_owned).collect()
}
