//! The signals that end a program or make it reload, and the service manager that sends them.
//!
//! - [`Signals`]: SIGINT, SIGTERM, and SIGHUP in both of its meanings; what systemd is told of the program's life
//! - `supervisor`: how systemd is told
//! - `controlling_terminal`: which of them a SIGHUP has

#[cfg(unix)]
mod controlling_terminal;
#[cfg(unix)]
mod supervisor;
#[cfg(unix)]
mod unix;
#[cfg(not(unix))]
mod without_signals;

#[cfg(unix)]
pub use unix::Signals;
#[cfg(not(unix))]
pub use without_signals::Signals;
