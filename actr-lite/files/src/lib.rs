//! The files that a program is told of.
//!
//! - [`regular`]: opens and reads them, and refuses a FIFO, a socket or a device at once
//! - [`secret`]: reads those that only their owner should get at, and says who else does

pub mod regular;
pub mod secret;
