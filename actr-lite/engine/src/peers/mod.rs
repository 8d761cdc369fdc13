//! Connections to peers: where they listen, when they are dialled, and which of them a call takes.
//!
//! In reading order: [`pool`] has the connections that are open, [`dials`] those that are being made and who waits for
//! them, [`dial`] is the way of one of them, and [`addresses`] what is known of where peers listen.

pub mod addresses;
pub mod dial;
pub mod dials;
pub mod pool;
