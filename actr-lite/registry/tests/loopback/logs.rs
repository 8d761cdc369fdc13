use std::sync::{Mutex, MutexGuard, Once, PoisonError};

use tracing_subscriber::fmt::MakeWriter as _;

/// The warnings of all tests of this program.
static LOGGED: Mutex<Vec<u8>> = Mutex::new(Vec::new());

fn logged() -> MutexGuard<'static, Vec<u8>> {
    LOGGED.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Keeps the warnings from now on; to be called before the registry starts.
pub(crate) fn capture() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let subscriber = tracing_subscriber::fmt().with_max_level(tracing::Level::WARN);
        subscriber.with_ansi(false).with_writer(|| LOGGED.make_writer()).init();
    });
}

/// Where the log stands.
pub(crate) fn position() -> usize {
    logged().len()
}

/// The warnings about this peer from this position on: the system gives ports to others later.
pub(crate) fn about(peer: &str, from: usize) -> Vec<String> {
    lines(from, |line| line.contains(&format!(" from {peer}: ")))
}

/// The warnings from this position on about contested types of the realm that ids name so.
pub(crate) fn about_types_of(realm: &str, from: usize) -> Vec<String> {
    lines(from, |line| {
        line.contains("contested type from ") && line.contains(realm)
    })
}

fn lines(from: usize, is_wanted: impl Fn(&str) -> bool) -> Vec<String> {
    let text = String::from_utf8_lossy(&logged()[from..]).into_owned();
    text.lines().filter(|line| is_wanted(line)).map(str::to_owned).collect()
}
