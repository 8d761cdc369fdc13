//! What must hold for any bytes that come from outside.
//!
//! Each function takes bytes as a peer, a registry's client or the author of a file could have written them, gives them
//! to the parsers that meet them first, and panics when a promise of these is broken. The fuzz targets in `fuzz/` at the
//! repository's root call nothing else, and this crate's tests call the same functions with random bytes, with mutated
//! seeds, and with all that the fuzzers ever found.
//!
//! - [`record`]: a message of the data lane: records, frames, control records
//! - [`websocket`]: what a peer sends after the upgrade
//! - [`envelope`]: calls, answers, messages without an answer
//! - [`signaling`]: what nodes send to the registry
//! - [`actr_toml`]: `Actr.toml`, `Actr.lock.toml`, and `--config`
//! - [`identity`]: ids, types and credentials as text and in headers

mod actr_toml;
mod envelope;
mod identity;
mod record;
mod signaling;
mod websocket;

use std::fmt::Display;

pub use actr_toml::actr_toml;
pub use envelope::envelope;
pub use identity::identity;
pub use record::record;
pub use signaling::signaling;
pub use websocket::websocket;

/// A target's body.
pub type Target = fn(&[u8]);

/// All targets by name, which is also the name of their directories in `fuzz/seeds` and `fuzz/regressions`.
pub const TARGETS: [(&str, Target); 6] = [
    ("record", record),
    ("websocket", websocket),
    ("envelope", envelope),
    ("signaling", signaling),
    ("actr_toml", actr_toml),
    ("identity", identity),
];

/// How many bytes of memory a target may have at a time for each byte of its input. Two bytes of protobuf make an empty
/// rule of an access list, which takes 96, and twice that while its list grows.
const MEMORY_PER_BYTE: usize = 256;

/// How many bytes of memory a target may have at a time for an empty input.
const MEMORY_AT_LEAST: usize = 64 << 10;

/// The most bytes of memory that a target may have at a time for an input of so many bytes: lengths that the input only
/// claims are no reason to reserve anything.
pub fn memory_bound(input_len: usize) -> usize {
    MEMORY_AT_LEAST + MEMORY_PER_BYTE * input_len
}

/// An error says something, on one line, and in proportion to what it is about.
fn explained(error: &impl Display, input: &[u8]) {
    let text = error.to_string();
    assert!(!text.trim().is_empty(), "an error without a word");
    assert!(!text.contains('\n'), "an error of several lines: {text:?}");
    // A byte that is not printable takes up to ten where it is escaped.
    assert!(
        text.len() <= 10 * input.len() + 1000,
        "an error of {} bytes",
        text.len()
    );
}
