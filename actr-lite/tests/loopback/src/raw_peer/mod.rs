//! Peers that are made by hand, and can do what no node does.

pub(crate) mod connection;
pub(crate) mod outsider;
pub(crate) mod visit;
pub(crate) mod wire_bytes;
