//! What streams cost over WebRTC, between nodes of both runtimes.
//!
//! - [`role`]: one end of a stream
//! - [`pair`]: both ends, and what they come to

pub mod pair;
pub mod role;
