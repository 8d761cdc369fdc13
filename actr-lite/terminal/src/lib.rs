//! What a program prints, and how. Its reader may stop, go away or never come; no part of the program waits for
//! that or fails by it.
//!
//! - [`start_logging`]: logs on stderr, by `-v`, `-q` and `RUST_LOG`
//! - [`start_logging_with`]: the same beside something that takes spans
//! - [`LogFormat`]: lines for people, or JSON objects
//! - [`Logging::end`]: the error that a program ends with
//! - [`say`], [`flush`]: a line on stderr that is no log line, and the wait for all of them at the end
//! - [`print()`]: a program's result on stdout
//! - [`StatusLine`]: a line below the logs that changes, such as a progress bar
//! - [`has_colour`]: the conventions of terminals
//!
//! Behind them:
//!
//! - `failure`: an error and its causes in one line
//! - `queue`: what waits to be written, and what of it is dropped: plain data
//! - `output`: the thread that writes it
//! - `rate_limit`: how many lines one place in the code may log
//! - `one_line_fields`, `bounded`: a log line stays one, whatever it quotes, and not too long
//! - `json_events`, `json_line`: the same as JSON
//! - `panic_hook`: where a panic's message goes

mod bounded;
mod conventions;
mod failure;
mod json_events;
mod json_line;
mod log_format;
mod logging;
mod one_line_fields;
mod output;
mod panic_hook;
mod queue;
mod rate_limit;
mod status_line;
mod stderr;
mod stdout;

pub use conventions::has_colour;
pub use log_format::{LogFormat, UnknownLogFormat};
pub use logging::{Logging, SpanLayer, Verbosity, start_logging, start_logging_with};
pub use status_line::StatusLine;
pub use stderr::{flush, say};
pub use stdout::print;
