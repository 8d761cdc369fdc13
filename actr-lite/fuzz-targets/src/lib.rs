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
//! - [`session`]: what a peer sends to a node, one message after the other, while the node does something too
//! - [`registry_session`]: what several nodes send to the registry, one after the other
//! - [`data_channel`]: what a peer sends over data channels
//! - `webrtc_peer`, with the feature `webrtc`: what a peer and the registry say and send while there are sessions over WebRTC
//! - [`actr_toml`]: `Actr.toml`, `Actr.lock.toml`, and `--config`
//! - [`identity`]: ids, types and credentials as text and in headers

mod actr_toml;
mod data_channel;
mod envelope;
mod identity;
mod record;
mod registry_session;
mod session;
mod signaling;
#[cfg(feature = "webrtc")]
mod webrtc_peer;
mod websocket;

use std::fmt::Display;

pub use actr_toml::actr_toml;
pub use data_channel::data_channel;
pub use envelope::envelope;
pub use identity::identity;
pub use record::record;
pub use registry_session::registry_session;
pub use session::session;
pub use signaling::{renewal_token, signaling};
#[cfg(feature = "webrtc")]
pub use webrtc_peer::webrtc_peer;
pub use websocket::websocket;

/// One of the functions of this crate.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    /// Its name, which is also that of its directories in `fuzz/seeds` and `fuzz/regressions`.
    pub name: &'static str,
    /// The function.
    pub check: fn(&[u8]),
    memory_at_least: usize,
    memory_per_byte: usize,
}

/// Two bytes of protobuf make an empty rule of an access list, which takes 96, and twice that while its list grows.
const PROTOBUF_MEMORY_PER_BYTE: usize = 256;

/// Two bytes of TOML, a name and a dot, make a table, which takes one to two thousand however little is in it. Such a
/// file is nobody's but its reader's own, and has a bound.
const TOML_MEMORY_PER_BYTE: usize = 2048;

/// What a node or a registry takes that is made when its target runs for the first time.
const STATE_MEMORY: usize = 4 << 20;

/// Some thirty bytes make a call, which takes a task of a few kilobytes until it is answered.
const SESSION_MEMORY_PER_BYTE: usize = 1024;

/// How many bytes of memory a target may have at a time for an empty input.
const MEMORY_AT_LEAST: usize = 64 << 10;

impl Target {
    const fn new(name: &'static str, check: fn(&[u8])) -> Self {
        Self {
            name,
            check,
            memory_at_least: MEMORY_AT_LEAST,
            memory_per_byte: PROTOBUF_MEMORY_PER_BYTE,
        }
    }

    /// The target of this name.
    pub fn named(name: &str) -> Option<Self> {
        TARGETS.iter().copied().find(|target| target.name == name)
    }

    /// The most bytes of memory that it may have at a time for an input of this many bytes: lengths that the input only
    /// claims are no reason to reserve anything.
    pub fn memory_bound(&self, input_len: usize) -> usize {
        self.memory_at_least + self.memory_per_byte * input_len
    }
}

/// All targets.
pub const TARGETS: &[Target] = &[
    Target::new("record", record),
    Target::new("websocket", websocket),
    Target::new("envelope", envelope),
    Target::new("signaling", signaling),
    Target {
        memory_at_least: STATE_MEMORY,
        memory_per_byte: SESSION_MEMORY_PER_BYTE,
        ..Target::new("session", session)
    },
    Target {
        memory_at_least: STATE_MEMORY,
        ..Target::new("registry_session", registry_session)
    },
    Target {
        memory_per_byte: TOML_MEMORY_PER_BYTE,
        ..Target::new("actr_toml", actr_toml)
    },
    Target::new("identity", identity),
    Target::new("data_channel", data_channel),
    #[cfg(feature = "webrtc")]
    Target {
        memory_at_least: STATE_MEMORY,
        memory_per_byte: SESSION_MEMORY_PER_BYTE,
        ..Target::new("webrtc_peer", webrtc_peer)
    },
];

/// An error has a text, of one line, in proportion to its input.
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

/// An error for a peer has a text, and repeats only the beginning of what the peer wrote.
fn briefly_explained(error: &impl Display, input: &[u8]) {
    explained(error, &input[..input.len().min(MAX_REPEATED)]);
}

/// How many characters such an error repeats.
const MAX_REPEATED: usize = 128;
