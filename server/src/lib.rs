//! The server of stream-register: whoever registers a stream gets its messages pushed.
//!
//! - [`EchoServer`]: the actor
//! - `push`: one stream on its way

mod echo_server;
mod push;

pub use echo_server::{EchoServer, MAX_MESSAGE_BYTES, MESSAGE_BYTES_HINT};
