//! Servers of one type that do with requests for a numbered stream what a script says, and a client that receives it.

pub(crate) mod cue;
mod log;
mod outgoing;
pub(crate) mod reception;
pub(crate) mod request;
pub(crate) mod scene;
pub(crate) mod script;
pub(crate) mod seen;
pub(crate) mod server;
