//! What a node has done, counted where it happens, and told to those who watch.
//!
//! It knows who watches. It must not know what a stream, a call or a connection is.

pub(crate) mod call_tally;
pub(crate) mod counts;
pub(crate) mod durations;
pub(crate) mod tally;
